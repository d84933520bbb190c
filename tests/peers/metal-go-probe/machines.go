package main

import (
	"encoding/base64"

	"github.com/metal-stack/metal-go/api/client/firewall"
	"github.com/metal-stack/metal-go/api/client/machine"
	"github.com/metal-stack/metal-go/api/models"
)

// machines allocates one machine in the node network, waits until it phoned home, and frees it.
func (p *probe) machines(node *models.V1NetworkResponse) {
	tag := "metal-stack.infrastructure.cluster.x-k8s.io/cluster-resource=probe.nodes"
	m, err := p.client.Machine().AllocateMachine(machine.NewAllocateMachineParams().WithBody(&models.V1MachineAllocateRequest{
		Name: "probe", Hostname: "probe", Projectid: &p.project, Partitionid: &p.partition, Sizeid: &p.size, Imageid: &p.machineImage,
		Tags: []string{tag}, PlacementTags: []string{tag}, UserData: base64.StdEncoding.EncodeToString([]byte("#cloud-config")),
		Networks: []*models.V1MachineAllocationNetwork{autoacquire(*node.ID)}}), nil)
	must("machine/allocate", err)
	fact(text(m.Payload.Allocation.Project) == p.project && text(m.Payload.Allocation.Role) == "machine", "a machine belongs to its project", m.Payload.Allocation)
	fact(text(m.Payload.Allocation.Hostname) == "probe", "the hostname is kept", text(m.Payload.Allocation.Hostname))
	fact(contains(m.Payload.Tags, tag), "tags of a machine are kept", m.Payload.Tags)
	fact(len(m.Payload.Allocation.Networks) == 1 && len(m.Payload.Allocation.Networks[0].Ips) == 1, "one network and one address", m.Payload.Allocation.Networks)
	fact(m.Payload.Allocation.Networks[0].Asn != nil && *m.Payload.Allocation.Networks[0].Asn >= 4210000000, "the ASN is one of metal-api's pool", m.Payload.Allocation.Networks[0].Asn)

	found, err := p.client.Machine().FindMachines(machine.NewFindMachinesParams().WithBody(
		&models.V1MachineFindRequest{AllocationProject: p.project, PartitionID: p.partition, Tags: []string{tag}}), nil)
	must("machine/find", err)
	fact(len(found.Payload) == 1 && text(found.Payload[0].ID) == text(m.Payload.ID), "find by tag gives exactly that machine", len(found.Payload))

	p.until("the machine phones home", func() (bool, any) {
		now := p.machine(*m.Payload.ID)
		return newestEvent(now.Events) == "Phoned Home" && text(now.Liveliness) == "Alive", newestEvent(now.Events)
	})
	p.freeMachine(*m.Payload.ID)
}

// firewalls allocates a firewall between the node network and the outside, with a rule of each direction.
func (p *probe) firewalls(node *models.V1NetworkResponse) {
	tag := "firewall.metal-stack.io/managed-by=probe"
	f, err := p.client.Firewall().AllocateFirewall(firewall.NewAllocateFirewallParams().WithBody(&models.V1FirewallCreateRequest{
		Name: "probe-fw", Hostname: "probe-fw", Projectid: &p.project, Partitionid: &p.partition, Sizeid: &p.size, Imageid: &p.firewallImage,
		Tags:     []string{tag},
		Networks: []*models.V1MachineAllocationNetwork{autoacquire(*node.ID), autoacquire(p.external)},
		FirewallRules: &models.V1FirewallRules{
			Egress:  []*models.V1FirewallEgressRule{{Protocol: "TCP", Ports: []int32{443}, To: []string{"0.0.0.0/0"}, Comment: "registry"}},
			Ingress: []*models.V1FirewallIngressRule{{Protocol: "tcp", Ports: []int32{6443}, From: []string{"0.0.0.0/0"}, Comment: "api"}},
		}}), nil)
	must("firewall/allocate", err)
	fact(text(f.Payload.Allocation.Role) == "firewall", "a firewall has the role firewall", text(f.Payload.Allocation.Role))

	kinds := map[string]bool{}
	for _, n := range f.Payload.Allocation.Networks {
		kinds[text(n.Networktype)] = true
	}
	fact(kinds["privateprimaryunshared"] && kinds["external"] && kinds["underlay"], "it stands in the node network, outside, and in the underlay", kinds)
	rules := f.Payload.Allocation.FirewallRules
	fact(rules != nil && len(rules.Egress) == 1 && len(rules.Ingress) == 1, "its rules are kept", rules)
	fact(rules.Egress[0].Protocol == "tcp", "protocols come out in lower case", rules.Egress[0].Protocol)

	found, err := p.client.Firewall().FindFirewalls(firewall.NewFindFirewallsParams().WithBody(
		&models.V1FirewallFindRequest{AllocationProject: p.project, PartitionID: p.partition, Tags: []string{tag}}), nil)
	must("firewall/find", err)
	fact(len(found.Payload) == 1 && text(found.Payload[0].ID) == text(f.Payload.ID), "find by tag gives exactly that firewall", len(found.Payload))
	byID, err := p.client.Firewall().FindFirewall(firewall.NewFindFirewallParams().WithID(*f.Payload.ID), nil)
	must("firewall by id", err)
	fact(text(byID.Payload.Allocation.Name) == "probe-fw", "a firewall is found by id", text(byID.Payload.Allocation.Name))

	p.freeMachine(*f.Payload.ID)
}

func autoacquire(networkID string) *models.V1MachineAllocationNetwork {
	yes := true
	return &models.V1MachineAllocationNetwork{Networkid: &networkID, Autoacquire: &yes}
}

func (p *probe) machine(id string) *models.V1MachineResponse {
	m, err := p.client.Machine().FindMachine(machine.NewFindMachineParams().WithID(id), nil)
	must("machine by id", err)
	return m.Payload
}

// freeMachine frees a machine or a firewall and checks that nothing of the allocation is left on it.
func (p *probe) freeMachine(id string) {
	freed, err := p.client.Machine().FreeMachine(machine.NewFreeMachineParams().WithID(id), nil)
	must("machine/free", err)
	fact(freed.Payload.Allocation == nil, "a freed machine has no allocation", freed.Payload.Allocation)
	now := p.machine(id)
	fact(now.Allocation == nil && len(now.Tags) == 0, "and no tags", now.Tags)
}
