package main

import (
	"fmt"
	"os"
	"strings"

	metalgo "github.com/metal-stack/metal-go"
	"github.com/metal-stack/metal-go/api/client/firewall"
	"github.com/metal-stack/metal-go/api/client/ip"
	"github.com/metal-stack/metal-go/api/client/machine"
	"github.com/metal-stack/metal-go/api/client/network"
	"github.com/metal-stack/metal-go/api/models"
	"github.com/metal-stack/metal-lib/httperrors"
)

// defaulted is what every `<Operation>Default` of the client has: the status, and the decoded body. An error body of any
// other shape never becomes one of these, but a json.UnmarshalTypeError.
type defaulted interface {
	error
	Code() int
	GetPayload() *httperrors.HTTPErrorResponse
}

// typed gives status and message of an error that the client could decode, and 0 for every other one.
func typed(err error) (int, string) {
	d, ok := err.(defaulted)
	if !ok || d.GetPayload() == nil || d.GetPayload().StatusCode != d.Code() {
		return 0, fmt.Sprintf("%T: %v", err, err)
	}
	return d.Code(), d.GetPayload().Message
}

// refused checks that a call fails with that status and decodes.
func refused(err error, status int, what string) {
	got, message := typed(err)
	fact(got == status, fmt.Sprintf("%s is a typed %d: %s", what, status, message), err)
}

// errors walks one refusal per kind. Official clients decide on these codes: the Go provider takes a 404 for "gone".
func (p *probe) errors(node *models.V1NetworkResponse) {
	nowhere := "00000000-0000-0000-0000-0000000000ff"
	_, err := p.client.Network().FindNetwork(network.NewFindNetworkParams().WithID(nowhere), nil)
	refused(err, 404, "an unknown network")
	_, err = p.client.Network().FreeNetwork(network.NewFreeNetworkParams().WithID(nowhere), nil)
	refused(err, 404, "freeing an unknown network")
	_, err = p.client.IP().FindIP(ip.NewFindIPParams().WithID("192.0.2.77"), nil)
	refused(err, 404, "an unknown address")
	_, err = p.client.Machine().FindMachine(machine.NewFindMachineParams().WithID(nowhere), nil)
	refused(err, 404, "an unknown machine")
	_, err = p.client.Network().AllocateNetwork(network.NewAllocateNetworkParams().WithBody(
		&models.V1NetworkAllocateRequest{Projectid: p.project}), nil)
	refused(err, 400, "a network without partition")
	_, err = p.client.Network().AllocateNetwork(network.NewAllocateNetworkParams().WithBody(
		&models.V1NetworkAllocateRequest{Projectid: nowhere, Partitionid: p.partition}), nil)
	refused(err, 404, "a network in an unknown project")

	held := p.allocateAddress(*node.ID, models.V1IPAllocateRequestTypeStatic, nil)
	_, err = p.client.Network().FreeNetwork(network.NewFreeNetworkParams().WithID(*node.ID), nil)
	refused(err, 422, "freeing a network that has an address")
	p.freeAddress(*held.Ipaddress)

	unknown := "no-such-image-1.2.3"
	_, err = p.client.Machine().AllocateMachine(machine.NewAllocateMachineParams().WithBody(&models.V1MachineAllocateRequest{
		Projectid: &p.project, Partitionid: &p.partition, Sizeid: &p.size, Imageid: &unknown,
		Networks: []*models.V1MachineAllocationNetwork{autoacquire(*node.ID)}}), nil)
	refused(err, 400, "a machine with an unknown image")
	_, err = p.client.Firewall().AllocateFirewall(firewall.NewAllocateFirewallParams().WithBody(&models.V1FirewallCreateRequest{
		Projectid: &p.project, Partitionid: &p.partition, Sizeid: &p.size, Imageid: &p.machineImage,
		Networks: []*models.V1MachineAllocationNetwork{autoacquire(*node.ID)}}), nil)
	refused(err, 400, "a firewall with a machine's image")
	p.credentials()
}

// credentials: a wrong key is 403, never 401.
func (p *probe) credentials() {
	stranger, err := metalgo.NewClient(os.Getenv("METAL_URL"), metalgo.HMACAuth("not-the-key", "Metal-Admin"))
	must("client", err)
	_, err = stranger.Network().ListNetworks(network.NewListNetworksParams(), nil)
	refused(err, 403, "a wrong key")
	_, message := typed(err)
	fact(strings.Contains(message, "HMAC"), "and says that the HMAC is wrong", message)
}
