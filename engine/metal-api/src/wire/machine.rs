//! Machines and firewalls on the wire. A firewall is a machine with the role firewall.

use super::{DnsServer, FilesystemLayout, Image, NtpServer, Partition, Size, Time, answer, request};

answer! {
    pub struct Machine {
        id: String,
        /// The machine's own name, which is empty; that of the allocation is `allocation.name`.
        name: String,
        description: String,
        partition: Option<Partition>,
        rackid: String,
        size: Option<Size>,
        hardware: Hardware,
        bios: Bios,
        /// `null` when free.
        allocation: Option<Allocation>,
        state: MachineState,
        ledstate: LedState,
        /// Alive, Dead, Unknown.
        liveliness: String,
        events: Events,
        /// In random order.
        tags: Vec<String>,
        created: Time,
        changed: Time,
    }

    pub struct Hardware {
        /// Bytes.
        memory: u64,
        /// Never filled: always 0.
        cpu_cores: u32,
        disks: Vec<BlockDevice>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        cpus: Vec<Cpu>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        gpus: Vec<Gpu>,
        nics: Vec<Nic>,
    }

    pub struct BlockDevice {
        name: String,
        /// Bytes.
        size: u64,
    }

    pub struct Cpu {
        vendor: String,
        model: String,
        cores: u32,
        threads: u32,
    }

    pub struct Gpu {
        vendor: String,
        model: String,
    }

    pub struct Nic {
        mac: String,
        name: String,
        identifier: String,
        neighbors: Vec<Nic>,
    }

    pub struct Bios {
        version: String,
        vendor: String,
        date: String,
    }

    /// Also the body of `POST /v1/machine/{id}/state`.
    pub struct MachineState {
        /// `""`, RESERVED, LOCKED.
        value: String,
        description: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
        metal_hammer_version: String,
    }

    pub struct LedState {
        value: String,
        description: String,
    }

    pub struct Events {
        /// At most 20, newest first.
        log: Vec<Event>,
        last_event_time: Option<Time>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_error_event: Option<Event>,
        crash_loop: bool,
        failed_machine_reclaim: bool,
    }

    pub struct Event {
        time: Time,
        event: String,
        message: String,
    }

    pub struct Allocation {
        creator: String,
        created: Time,
        name: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        description: String,
        project: String,
        image: Option<Image>,
        filesystemlayout: Option<FilesystemLayout>,
        /// In random order.
        networks: Vec<MachineNetwork>,
        hostname: String,
        ssh_pub_keys: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_data: Option<String>,
        /// Written nowhere: always false.
        succeeded: bool,
        reinstall: bool,
        boot_info: Option<BootInfo>,
        /// machine, firewall.
        role: String,
        vpn: Option<Vpn>,
        allocationuuid: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        firewall_rules: Option<FirewallRules>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        dns_servers: Vec<DnsServer>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ntp_servers: Vec<NtpServer>,
    }

    pub struct MachineNetwork {
        networkid: String,
        prefixes: Vec<String>,
        ips: Vec<String>,
        destinationprefixes: Vec<String>,
        /// privateprimaryunshared, privateprimaryshared, privatesecondaryshared, external, underlay.
        networktype: String,
        vrf: u64,
        /// A u32 beyond i32: int64 on the wire.
        asn: i64,
        nat: bool,
        private: bool,
        underlay: bool,
        projectid: String,
        networktypev2: String,
        nattypev2: String,
    }

    pub struct BootInfo {
        image_id: String,
        primary_disk: String,
        os_partition: String,
        initrd: String,
        cmdline: String,
        kernel: String,
        bootloaderid: String,
    }

    pub struct Vpn {
        address: String,
        auth_key: String,
        connected: bool,
    }

    pub struct FirewallRules {
        egress: Vec<EgressRule>,
        ingress: Vec<IngressRule>,
    }

    pub struct EgressRule {
        /// tcp, udp; tcp by default, any case in, lower case out.
        protocol: String,
        ports: Vec<i32>,
        to: Vec<String>,
        comment: String,
    }

    pub struct IngressRule {
        protocol: String,
        ports: Vec<i32>,
        to: Vec<String>,
        from: Vec<String>,
        comment: String,
    }

    /// `GET /v1/machine/issues`: the list is `null` when there are none.
    pub struct MachineIssues {
        machineid: String,
        issues: Vec<String>,
    }

    pub struct MachineIssue {
        id: String,
        description: String,
        severity: String,
        ref_url: String,
        details: String,
    }
}

request! {
    /// `POST /v1/machine/allocate`, and with rules `POST /v1/firewall/allocate`.
    pub struct MachineAllocateRequest {
        /// A given machine; its size and partition win.
        uuid: String,
        name: String,
        description: String,
        hostname: String,
        projectid: String,
        partitionid: String,
        sizeid: String,
        imageid: String,
        filesystemlayoutid: String,
        ssh_pub_keys: Vec<String>,
        user_data: String,
        tags: Vec<String>,
        placement_tags: Vec<String>,
        networks: Vec<AllocationNetwork>,
        ips: Vec<String>,
        dns_servers: Vec<DnsServer>,
        ntp_servers: Vec<NtpServer>,
        firewall_rules: FirewallRules,
    }

    pub struct AllocationNetwork {
        networkid: String,
        /// Absent: true.
        autoacquire: bool,
    }

    /// `POST /v1/machine/find`, `POST /v1/firewall/find` (which overwrites the role): equality, all of them.
    pub struct MachineFindRequest {
        id: String,
        name: String,
        partition_id: String,
        sizeid: String,
        rackid: String,
        tags: Vec<String>,
        allocation_name: String,
        allocation_project: String,
        allocation_image_id: String,
        allocation_hostname: String,
        allocation_role: String,
        allocation_succeeded: bool,
        network_ids: Vec<String>,
        network_prefixes: Vec<String>,
        network_ips: Vec<String>,
        network_destination_prefixes: Vec<String>,
        network_vrfs: Vec<i64>,
        network_asns: Vec<i64>,
        hardware_memory: i64,
        nics_mac_addresses: Vec<String>,
        nics_names: Vec<String>,
        nics_vrfs: Vec<String>,
        nics_neighbor_mac_addresses: Vec<String>,
        nics_neighbor_names: Vec<String>,
        nics_neighbor_vrfs: Vec<String>,
        disk_names: Vec<String>,
        disk_sizes: Vec<i64>,
        state_value: String,
        ipmi_address: String,
        ipmi_mac_address: String,
        ipmi_user: String,
        ipmi_interface: String,
        fru_board_mfg: String,
        fru_board_mfg_serial: String,
        fru_board_part_number: String,
        fru_chassis_part_number: String,
        fru_chassis_part_serial: String,
        fru_product_manufacturer: String,
        fru_product_part_number: String,
        fru_product_serial: String,
    }

    /// `POST /v1/machine`: an empty tag list is ignored, others replace the user's part.
    pub struct MachineUpdateRequest {
        id: String,
        description: String,
        tags: Vec<String>,
        ssh_pub_keys: Vec<String>,
    }

    /// `POST /v1/machine/{id}/reinstall`.
    pub struct MachineReinstallRequest {
        id: String,
        imageid: String,
        name: String,
        description: String,
    }

    /// `POST /v1/machine/issues/evaluate`: find fields beside these; the threshold is in nanoseconds.
    pub struct MachineIssuesRequest {
        #[serde(flatten)]
        find: MachineFindRequest,
        only: Vec<String>,
        omit: Vec<String>,
        severity: String,
        last_error_threshold: i64,
    }
}

pub type FirewallAllocateRequest = MachineAllocateRequest;
pub type FirewallFindRequest = MachineFindRequest;
