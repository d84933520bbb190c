//! What Linux says a process uses.

/// One look at a process.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub cpu_seconds: f64,
    pub resident_mib: f64,
    pub peak_mib: f64,
}

impl Usage {
    /// Of a process that runs.
    pub fn of(pid: u32) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).expect("it runs");
        let (status, stat) = (read("status"), read("stat"));
        let mib = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of every process");
            line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") / 1024.0
        };
        let (_, fields) = stat.rsplit_once(") ").expect("a command in brackets");
        // utime and stime are the 14th and 15th field, counted from the process id; a tick is 10 ms on every Linux.
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().expect("a number")).sum();
        #[expect(clippy::cast_precision_loss, reason = "no benchmark runs for that long")]
        let cpu_seconds = ticks as f64 / 100.0;
        Self { cpu_seconds, resident_mib: mib("VmRSS:"), peak_mib: mib("VmHWM:") }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "resident {:.1} MiB, peak {:.1} MiB", self.resident_mib, self.peak_mib)
    }
}
