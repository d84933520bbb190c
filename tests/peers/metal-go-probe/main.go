// metal-go-probe walks a metal-api with metal-go, the official client, and checks what the server answers: each fact is one
// line on stdout, the first wrong one ends the walk with exit code 1. It frees what it allocated, so that it can run again.
//
// The server comes from METAL_URL, METAL_HMAC and METAL_AUTH_TYPE (default Metal-Admin), what to allocate from the flags.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	metalgo "github.com/metal-stack/metal-go"
	"github.com/metal-stack/metal-go/api/models"
)

// probe is the client and the names of the landscape that the server simulates.
type probe struct {
	client        metalgo.Client
	project       string
	partition     string
	external      string
	size          string
	machineImage  string
	firewallImage string
	patience      time.Duration
}

func main() {
	p := probe{}
	flag.StringVar(&p.project, "project", "", "project to allocate in")
	flag.StringVar(&p.partition, "partition", "", "partition to allocate in")
	flag.StringVar(&p.external, "external", "", "id of an external network")
	flag.StringVar(&p.size, "size", "", "size of machines and firewalls")
	flag.StringVar(&p.machineImage, "machine-image", "", "image of machines")
	flag.StringVar(&p.firewallImage, "firewall-image", "", "image of firewalls")
	flag.DurationVar(&p.patience, "patience", time.Minute, "longest wait for one condition")
	flag.Parse()

	authType := os.Getenv("METAL_AUTH_TYPE")
	if authType == "" {
		authType = "Metal-Admin"
	}
	client, err := metalgo.NewClient(os.Getenv("METAL_URL"), metalgo.HMACAuth(os.Getenv("METAL_HMAC"), authType))
	must("client", err)
	p.client = client

	p.server()
	p.catalog()
	node := p.networks()
	p.addresses(node)
	p.machines(node)
	p.firewalls(node)
	p.errors(node)
	p.freeNetwork(node)
	fmt.Println("done")
}

// fact prints the fact when it holds; else it says what was seen instead and ends the walk.
func fact(holds bool, name string, seen any) {
	if !holds {
		fmt.Printf("WRONG  %s: %v\n", name, seen)
		os.Exit(1)
	}
	fmt.Printf("ok     %s\n", name)
}

// must ends the walk when a call failed that had to succeed. The error's type tells whether the client could decode it.
func must(call string, err error) {
	if err != nil {
		fmt.Printf("WRONG  %s: %T: %v\n", call, err, err)
		os.Exit(1)
	}
}

// until asks again until the condition holds; `seen` is what the last question brought.
func (p *probe) until(name string, ask func() (holds bool, seen any)) {
	deadline := time.Now().Add(p.patience)
	for {
		holds, seen := ask()
		if holds || time.Now().After(deadline) {
			fact(holds, name, seen)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// text is the value of a pointer that the client leaves nil when the server sent null or nothing.
func text(s *string) string {
	if s == nil {
		return "<nil>"
	}
	return *s
}

// contains looks through a list, which comes in no order.
func contains(list []string, wanted string) bool {
	for _, entry := range list {
		if entry == wanted {
			return true
		}
	}
	return false
}

// newestEvent is the first entry of the log, which the server keeps newest first.
func newestEvent(events *models.V1MachineRecentProvisioningEvents) string {
	if events == nil || len(events.Log) == 0 {
		return "<no event>"
	}
	return text(events.Log[0].Event)
}
