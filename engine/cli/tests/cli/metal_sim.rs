use crate::support::{Running, ferrofleet, run};
use std::io::{BufRead as _, BufReader, Read as _};

#[test]
fn four_lines_flushed_then_it_serves() {
    let home = tempfile::tempdir().unwrap();
    let mut sim = Running::spawn(ferrofleet(home.path()).args(["metal-sim", "--listen", "127.0.0.1:0"]));
    let mut stdout = BufReader::new(sim.0.stdout.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    };
    let first = line();
    let url = first.strip_prefix("listening on ").unwrap().trim_end().to_owned();
    let port = url.strip_prefix("http://127.0.0.1:").unwrap().strip_suffix("/metal").unwrap();
    let _: u16 = port.parse().unwrap();
    assert_eq!(line(), format!("export METAL_API_URL={url}\n"));
    assert_eq!(line(), "export METAL_API_HMAC=metal-admin\n");
    assert_eq!(line(), "export METAL_API_HMAC_AUTH_TYPE=Metal-Admin\n");
    let mut stream = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    std::io::Write::write_all(&mut stream, b"GET /_sim/state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    sim.signal("TERM");
    assert_eq!(sim.wait(), Some(0));
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn a_landscape_with_a_mistake_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("landscape.yaml");
    std::fs::write(&file, "partitionss: []\n").unwrap();
    let refused = run(&["metal-sim", "--landscape", &file.display().to_string()]).expect(1);
    assert!(refused.stderr.contains("partitionss"), "{}", refused.stderr);
}
