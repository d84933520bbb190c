package main

import (
	"net/netip"
	"slices"

	"github.com/metal-stack/metal-go/api/client/ip"
	"github.com/metal-stack/metal-go/api/models"
)

// addresses allocates a static address as a control-plane VIP is, one that is asked for, and walks tags and types.
func (p *probe) addresses(node *models.V1NetworkResponse) {
	tags := []string{"probe=vip", "a=b"}
	vip := p.allocateAddress(p.external, models.V1IPAllocateRequestTypeStatic, tags)
	fact(text(vip.Type) == "static", "a static address is static", text(vip.Type))
	fact(vip.Allocationuuid != nil && *vip.Allocationuuid != "", "an address has an allocation uuid", vip)
	fact(slices.Equal(vip.Tags, []string{"a=b", "probe=vip"}), "tags come back sorted", vip.Tags)

	found := p.findAddresses(&models.V1IPFindRequest{Projectid: p.project, Tags: []string{"probe=vip"}})
	fact(len(found) == 1 && text(found[0].Ipaddress) == text(vip.Ipaddress), "find by one of its tags gives the address", len(found))
	none := p.findAddresses(&models.V1IPFindRequest{Projectid: p.project, Tags: []string{"probe=vip", "c=d"}})
	fact(len(none) == 0, "several tags mean all of them", len(none))

	inside := netip.MustParsePrefix(node.Prefixes[0]).Addr().Next().Next().String()
	asked, err := p.allocateSpecific(*node.ID, inside)
	must("ip/allocate/"+inside, err)
	fact(text(asked.Ipaddress) == inside, "a free address can be asked for", text(asked.Ipaddress))
	_, err = p.allocateSpecific(*node.ID, inside)
	status, message := typed(err)
	fact(status == 409, "the same address again is a typed 409: "+message, err)
	_, err = p.allocateSpecific(*node.ID, "192.0.2.1")
	status, message = typed(err)
	fact(status == 422, "an address outside of the network is a typed 422: "+message, err)

	ephemeral := p.allocateAddress(p.external, models.V1IPAllocateRequestTypeEphemeral, []string{"probe=ephemeral"})
	static := models.V1IPUpdateRequestTypeStatic
	promoted, err := p.client.IP().UpdateIP(ip.NewUpdateIPParams().WithBody(&models.V1IPUpdateRequest{
		Ipaddress: ephemeral.Ipaddress, Type: &static}), nil)
	must("ip update", err)
	fact(text(promoted.Payload.Type) == "static", "an ephemeral address can be made static", text(promoted.Payload.Type))
	fact(contains(promoted.Payload.Tags, "probe=ephemeral"), "tags that an update leaves out are kept", promoted.Payload.Tags)

	for _, address := range []*models.V1IPResponse{vip, asked, ephemeral} {
		p.freeAddress(*address.Ipaddress)
	}
}

func (p *probe) allocateAddress(networkID, kind string, tags []string) *models.V1IPResponse {
	allocated, err := p.client.IP().AllocateIP(ip.NewAllocateIPParams().WithBody(&models.V1IPAllocateRequest{
		Name: "probe", Projectid: &p.project, Networkid: &networkID, Addressfamily: "IPv4", Type: &kind, Tags: tags}), nil)
	must("ip/allocate", err)
	return allocated.Payload
}

func (p *probe) allocateSpecific(networkID, address string) (*models.V1IPResponse, error) {
	kind := models.V1IPAllocateRequestTypeStatic
	allocated, err := p.client.IP().AllocateSpecificIP(ip.NewAllocateSpecificIPParams().WithIP(address).WithBody(
		&models.V1IPAllocateRequest{Name: "probe", Projectid: &p.project, Networkid: &networkID, Type: &kind}), nil)
	if err != nil {
		return nil, err
	}
	return allocated.Payload, nil
}

func (p *probe) findAddresses(query *models.V1IPFindRequest) []*models.V1IPResponse {
	found, err := p.client.IP().FindIPs(ip.NewFindIPsParams().WithBody(query), nil)
	must("ip/find", err)
	return found.Payload
}

func (p *probe) freeAddress(address string) {
	_, err := p.client.IP().FreeIP(ip.NewFreeIPParams().WithID(address), nil)
	must("ip/free", err)
	_, err = p.client.IP().FindIP(ip.NewFindIPParams().WithID(address), nil)
	status, message := typed(err)
	fact(status == 404, "a freed address is gone: "+message, err)
}
