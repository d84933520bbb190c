//! Brings up etcd with kube-apiserver, and kube-controller-manager.

use super::pki::Pki;
use super::processes::{Processes, free_ports};
use super::{Client, ControlPlane};
use crate::peers::Installed;
use std::fs;

const API_SERVER: [&str; 2] = ["etcd", "kube-apiserver"];

pub(super) fn api_server(etcd: &Installed, apiserver: &Installed) -> ControlPlane {
    let mut processes = Processes::new();
    let pki = Pki::create(processes.dir());
    let mut url = String::new();
    let mut client = None;
    Processes::until_started("kube-apiserver", || {
        let [port, client_port, peer_port] = free_ports();
        url = format!("https://127.0.0.1:{port}");
        spawn_etcd(&mut processes, etcd, client_port, peer_port);
        spawn_api_server(&mut processes, apiserver, port, client_port);
        let client = client.insert(Client::new(&url, &pki));
        processes.wait(&API_SERVER, || client.is_ready())
    });
    fs::write(processes.dir().join("kubeconfig"), pki.kubeconfig(&url)).expect("a kubeconfig");
    ControlPlane { client: client.expect("it has started"), url, pki, processes, has_capi: false }
}

fn spawn_etcd(processes: &mut Processes, etcd: &Installed, port: u16, peer_port: u16) {
    let (url, peer_url) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer_port}"));
    let mut command = processes.command(&etcd.binary);
    // Data of a try before are gone with its ports.
    let data = tempfile::Builder::new().prefix("etcd-").tempdir_in(processes.dir()).expect("a folder").keep();
    command.arg("--data-dir").arg(data).args(["--unsafe-no-fsync", "--log-level", "warn"]);
    command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
    command.args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url]);
    command.args(["--initial-cluster", &format!("default={peer_url}")]);
    processes.spawn("etcd", &mut command);
}

fn spawn_api_server(processes: &mut Processes, apiserver: &Installed, port: u16, etcd_port: u16) {
    let mut command = processes.command(&apiserver.binary);
    command.args(["--etcd-servers", &format!("http://127.0.0.1:{etcd_port}")]);
    command.args(["--bind-address", "127.0.0.1", "--secure-port", &port.to_string()]);
    command.args(["--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none"]);
    command.args(["--tls-cert-file", "tls.crt", "--tls-private-key-file", "tls.key", "--client-ca-file", "ca.crt"]);
    command.args(["--service-account-issuer", "https://tests.local", "--service-account-key-file", "sa.pub"]);
    command.args(["--service-account-signing-key-file", "sa.key", "--service-cluster-ip-range", "10.0.0.0/24"]);
    // Without a token controller no pod would get a service account.
    command.args(["--authorization-mode", "RBAC", "--disable-admission-plugins", "ServiceAccount"]);
    command.args(["--allow-privileged", "--enable-priority-and-fairness=false", "--v", "1"]);
    processes.spawn("kube-apiserver", &mut command);
}

pub(super) fn controller_manager(plane: &mut ControlPlane, program: &Installed) {
    let kubeconfig = plane.kubeconfig();
    let ControlPlane { processes, client, .. } = plane;
    Processes::until_started("kube-controller-manager", || {
        let [port] = free_ports();
        let mut command = processes.command(&program.binary);
        command.arg("--kubeconfig").arg(&kubeconfig).args(["--leader-elect=false"]);
        command.args(["--bind-address", "127.0.0.1", "--secure-port", &port.to_string()]);
        command.arg("--controllers=garbage-collector-controller,namespace-controller");
        command.args(["--tls-cert-file", "tls.crt", "--tls-private-key-file", "tls.key"]);
        processes.spawn("kube-controller-manager", &mut command);
        let health = format!("https://127.0.0.1:{port}/healthz");
        processes.wait(&["kube-controller-manager"], || client.is_healthy(&health))
    });
}
