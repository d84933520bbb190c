package main

import (
	"strings"

	"github.com/metal-stack/metal-go/api/client/network"
	"github.com/metal-stack/metal-go/api/models"
)

// networks allocates the node network that the later steps use, finds it again, and checks that a second one is disjoint.
func (p *probe) networks() *models.V1NetworkResponse {
	label := map[string]string{"cluster.metal-stack.io/id": "probe.nodes"}
	node := p.allocateNetwork("nodes", label)
	fact(text(node.Networktype) == "child" && node.Parentnetworkid != "", "an allocated network is a child of the super network", text(node.Networktype))
	fact(len(node.Prefixes) == 1 && strings.Contains(node.Prefixes[0], "."), "addressfamily IPv4 brings one IPv4 prefix", node.Prefixes)
	fact(node.Labels["cluster.metal-stack.io/id"] == "probe.nodes", "labels are kept", node.Labels)

	other := p.allocateNetwork("other", map[string]string{"probe": "other"})
	fact(other.Prefixes[0] != node.Prefixes[0] && *other.ID != *node.ID, "a second network is another one", other.Prefixes)

	found := p.findNetworks(&models.V1NetworkFindRequest{Projectid: p.project, Labels: label})
	fact(len(found) == 1 && text(found[0].ID) == *node.ID, "find by label gives exactly that network", len(found))
	all := p.findNetworks(&models.V1NetworkFindRequest{Projectid: p.project})
	fact(len(all) >= 2, "find by project gives both", len(all))
	none := p.findNetworks(&models.V1NetworkFindRequest{Labels: map[string]string{"cluster.metal-stack.io/id": "probe"}})
	fact(len(none) == 0, "a label matches whole values only", len(none))

	p.freeNetwork(other)
	return node
}

func (p *probe) allocateNetwork(name string, labels map[string]string) *models.V1NetworkResponse {
	allocated, err := p.client.Network().AllocateNetwork(network.NewAllocateNetworkParams().WithBody(&models.V1NetworkAllocateRequest{
		Name: name, Projectid: p.project, Partitionid: p.partition, Addressfamily: "IPv4", Labels: labels}), nil)
	must("network/allocate "+name, err)
	return allocated.Payload
}

func (p *probe) findNetworks(query *models.V1NetworkFindRequest) []*models.V1NetworkResponse {
	found, err := p.client.Network().FindNetworks(network.NewFindNetworksParams().WithBody(query), nil)
	must("network/find", err)
	return found.Payload
}

// freeNetwork waits as long as addresses of machines that were just freed are still in it.
func (p *probe) freeNetwork(n *models.V1NetworkResponse) {
	p.until("network "+n.Name+" is freed", func() (bool, any) {
		_, err := p.client.Network().FreeNetwork(network.NewFreeNetworkParams().WithID(*n.ID), nil)
		if status, message := typed(err); status == 422 && strings.Contains(message, "has ips") {
			return false, err
		}
		return err == nil, err
	})
}
