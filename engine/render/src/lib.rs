//! Definitions and locks to files: Cluster API manifests and the locks themselves.
#![forbid(unsafe_code)]
