package main

import (
	"github.com/metal-stack/metal-go/api/client/health"
	"github.com/metal-stack/metal-go/api/client/image"
	"github.com/metal-stack/metal-go/api/client/network"
	"github.com/metal-stack/metal-go/api/client/partition"
	"github.com/metal-stack/metal-go/api/client/project"
	"github.com/metal-stack/metal-go/api/client/size"
	"github.com/metal-stack/metal-go/api/client/version"
	"github.com/metal-stack/metal-go/api/models"
)

// server checks what a client asks at start. metalctl refuses to work when min_client_version is missing, the cloud
// controller manager when the status is not "healthy".
func (p *probe) server() {
	v, err := p.client.Version().Info(version.NewInfoParams(), nil)
	must("version", err)
	fact(v.Payload.Version != nil && *v.Payload.Version != "", "version names a version", v.Payload)
	fact(v.Payload.MinClientVersion != nil, "version names the oldest client", v.Payload)

	h, err := p.client.Health().Health(health.NewHealthParams(), nil)
	must("health", err)
	fact(text(h.Payload.Status) == "healthy", "health is healthy", text(h.Payload.Status))
}

// catalog checks what was there before the first allocation.
func (p *probe) catalog() {
	partitions, err := p.client.Partition().ListPartitions(partition.NewListPartitionsParams(), nil)
	must("partitions", err)
	var ids []string
	for _, entry := range partitions.Payload {
		ids = append(ids, text(entry.ID))
	}
	fact(contains(ids, p.partition), "the partition is listed", ids)

	capacity, err := p.client.Partition().PartitionCapacity(partition.NewPartitionCapacityParams().WithBody(
		&models.V1PartitionCapacityRequest{ID: p.partition, Sizeid: p.size}), nil)
	must("partition/capacity", err)
	fact(len(capacity.Payload) == 1 && len(capacity.Payload[0].Servers) == 1, "capacity answers for one partition and size", capacity.Payload)
	fact(capacity.Payload[0].Servers[0].Allocatable >= 2, "two machines can be allocated", capacity.Payload[0].Servers[0])

	s, err := p.client.Size().FindSize(size.NewFindSizeParams().WithID(p.size), nil)
	must("size", err)
	fact(text(s.Payload.ID) == p.size, "the size is found by id", text(s.Payload.ID))

	for _, id := range []string{p.machineImage, p.firewallImage} {
		i, err := p.client.Image().FindImage(image.NewFindImageParams().WithID(id), nil)
		must("image "+id, err)
		fact(text(i.Payload.ID) == id && i.Payload.ExpirationDate != nil, "image "+id+" is found and expires", i.Payload)
	}

	found, err := p.client.Project().FindProjects(project.NewFindProjectsParams().WithBody(&models.V1ProjectFindRequest{ID: p.project}), nil)
	must("project/find", err)
	fact(len(found.Payload) == 1 && found.Payload[0].Meta.ID == p.project, "the project's id is in its meta", found.Payload)

	external, err := p.client.Network().FindNetwork(network.NewFindNetworkParams().WithID(p.external), nil)
	must("external network", err)
	fact(text(external.Payload.Networktype) == "external", "the external network says so", text(external.Payload.Networktype))
	fact(len(external.Payload.Destinationprefixes) > 0, "the external network leads somewhere", external.Payload)
}
