//! What operators offer, on the wire: partitions, sizes, images, layouts; also health, version, user.

use super::{Time, answer, request};
use std::collections::BTreeMap;

answer! {
    pub struct Partition {
        id: String,
        name: String,
        description: String,
        bootconfig: BootConfig,
        labels: BTreeMap<String, String>,
        mgmtserviceaddress: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        dns_servers: Vec<DnsServer>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ntp_servers: Vec<NtpServer>,
        created: Time,
        changed: Time,
    }

    pub struct BootConfig {
        imageurl: String,
        kernelurl: String,
        commandline: String,
    }

    pub struct DnsServer {
        ip: String,
    }

    pub struct NtpServer {
        address: String,
    }

    /// `POST /v1/partition/capacity`: one per partition.
    pub struct PartitionCapacity {
        id: String,
        name: String,
        description: String,
        servers: Vec<ServerCapacity>,
    }

    /// Counts of one size; zeros are left out.
    pub struct ServerCapacity {
        size: String,
        #[serde(skip_serializing_if = "is_zero")]
        total: u32,
        #[serde(skip_serializing_if = "is_zero")]
        phoned_home: u32,
        #[serde(skip_serializing_if = "is_zero")]
        waiting: u32,
        #[serde(skip_serializing_if = "is_zero")]
        other: u32,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        othermachines: Vec<String>,
        #[serde(skip_serializing_if = "is_zero")]
        allocated: u32,
        #[serde(skip_serializing_if = "is_zero")]
        allocatable: u32,
        /// Allocatable, without what other projects reserved.
        #[serde(skip_serializing_if = "is_zero")]
        free: u32,
        #[serde(skip_serializing_if = "is_zero")]
        unavailable: u32,
        #[serde(skip_serializing_if = "is_zero")]
        faulty: u32,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        faultymachines: Vec<String>,
        #[serde(skip_serializing_if = "is_zero")]
        reservations: u32,
        #[serde(skip_serializing_if = "is_zero")]
        usedreservations: u32,
        #[serde(skip_serializing_if = "is_zero")]
        remainingreservations: u32,
    }

    pub struct Size {
        id: String,
        name: String,
        description: String,
        constraints: Vec<SizeConstraint>,
        labels: BTreeMap<String, String>,
        created: Time,
        changed: Time,
    }

    pub struct SizeConstraint {
        /// cores, memory, storage, gpu.
        r#type: String,
        min: u64,
        max: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        identifier: Option<String>,
    }

    pub struct Image {
        id: String,
        name: String,
        description: String,
        url: String,
        /// machine, firewall.
        features: Vec<String>,
        #[serde(rename = "expirationDate")]
        expiration_date: Time,
        /// preview, supported, deprecated.
        classification: String,
        usedby: Option<Vec<String>>,
        created: Time,
        changed: Time,
    }

    pub struct FilesystemLayout {
        id: String,
        name: String,
        description: String,
        constraints: FsConstraints,
        disks: Vec<Disk>,
        filesystems: Vec<Filesystem>,
        logicalvolumes: Vec<LogicalVolume>,
        raid: Vec<Raid>,
        volumegroups: Vec<VolumeGroup>,
    }

    /// Sizes, and per operating system a version constraint.
    pub struct FsConstraints {
        sizes: Vec<String>,
        images: BTreeMap<String, String>,
    }

    pub struct Disk {
        device: String,
        wipeonreinstall: bool,
        partitions: Vec<DiskPartition>,
    }

    pub struct DiskPartition {
        number: u8,
        label: Option<String>,
        /// Bytes; 0 for the rest.
        size: u64,
        gpttype: Option<String>,
    }

    pub struct Filesystem {
        device: String,
        format: String,
        label: Option<String>,
        path: Option<String>,
        createoptions: Vec<String>,
        mountoptions: Vec<String>,
    }

    pub struct LogicalVolume {
        name: String,
        volumegroup: String,
        size: u64,
        lvmtype: String,
    }

    pub struct Raid {
        arrayname: String,
        level: String,
        spares: i32,
        devices: Vec<String>,
        createoptions: Vec<String>,
    }

    pub struct VolumeGroup {
        name: String,
        devices: Vec<String>,
        tags: Vec<String>,
    }

    pub struct Version {
        name: String,
        version: String,
        builddate: String,
        revision: String,
        gitsha1: String,
        min_client_version: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        release_version: Option<String>,
    }

    /// `GET /v1/health`; an unhealthy one comes with status 500 in the same shape.
    pub struct Health {
        /// healthy, degraded, unhealthy.
        status: String,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        services: Option<BTreeMap<String, Health>>,
    }

    /// `GET /v1/user/me`, with capitals.
    #[serde(rename_all = "PascalCase")]
    pub struct User {
        #[serde(rename = "EMail")]
        email: String,
        name: String,
        groups: Vec<String>,
        tenant: String,
        issuer: String,
        subject: String,
    }
}

request! {
    /// `POST /v1/partition/capacity`; an unknown partition is a 400.
    pub struct CapacityQuery {
        id: String,
        sizeid: String,
        /// Without it, reservations of the own project count as foreign.
        projectid: String,
    }

    /// `POST /v1/image/find`.
    pub struct ImageFindRequest {
        id: String,
        name: String,
        features: Vec<String>,
        os: String,
        version: String,
        classification: String,
    }

    /// `POST /v1/size/suggest`.
    pub struct SizeSuggestRequest {
        #[serde(rename = "machineID")]
        machine_id: String,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}
