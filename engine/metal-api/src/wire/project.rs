//! Projects on the wire: everything is left out when empty.

use super::{Time, answer, request};
use std::collections::BTreeMap;

answer! {
    /// A project; its id is `meta.id`.
    pub struct Project {
        #[serde(skip_serializing_if = "Option::is_none")]
        meta: Option<Meta>,
        #[serde(skip_serializing_if = "String::is_empty")]
        name: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        description: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        tenant_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        quotas: Option<QuotaSet>,
    }

    pub struct Meta {
        #[serde(skip_serializing_if = "String::is_empty")]
        id: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        kind: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        apiversion: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        created_time: Option<Time>,
        #[serde(skip_serializing_if = "Option::is_none")]
        updated_time: Option<Time>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        annotations: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
    }

    pub struct QuotaSet {
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<Quota>,
        #[serde(skip_serializing_if = "Option::is_none")]
        machine: Option<Quota>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ip: Option<Quota>,
        #[serde(skip_serializing_if = "Option::is_none")]
        project: Option<Quota>,
    }

    pub struct Quota {
        #[serde(skip_serializing_if = "Option::is_none")]
        quota: Option<i32>,
        /// Filled in by GET of one project only.
        #[serde(skip_serializing_if = "Option::is_none")]
        used: Option<i32>,
    }
}

request! {
    /// `POST /v1/project/find`.
    pub struct ProjectFindRequest {
        id: String,
        name: String,
        description: String,
        tenant_id: String,
    }
}
