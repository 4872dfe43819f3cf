//! From open options to a Zenoh configuration.

use crate::{fail, options::OpenOptions};
use zenoh::Config;

/// What every session of the daemon starts from. The reasons:
///
/// - `scouting/delay 0`: open would otherwise wait 500 ms for peers that are announced later anyway.
/// - `timeout_ms -1`, `exit_on_failure false`: an absent router is normal; keep trying in the background.
/// - multicast scouting is off unless asked for: a robot talks to the endpoints it was configured with.
/// - implicit shared memory only for `put`: a query in shared memory can vanish when its receiver stalls
///   (zenoh issue 2628).
/// - `connect/retry` from 100 ms to 2 s: a restarted router is found again within seconds, not minutes.
const DEFAULTS: &[(&str, &str)] = &[
    ("scouting/delay", "0"),
    ("scouting/multicast/enabled", "false"),
    ("connect/timeout_ms", "-1"),
    ("connect/exit_on_failure", "false"),
    ("connect/retry", r#"{"period_init_ms":100,"period_max_ms":2000,"period_increase_factor":1.5}"#),
    ("transport/shared_memory/transport_optimization/messages", r#"["put"]"#),
];

pub fn build(options: &OpenOptions) -> napi::Result<Config> {
    let mut config = Config::default();
    let mut set = |key: &str, value: &str| {
        config.insert_json5(key, value).map_err(|e| fail("config", format!("{key}: {value}: {e}")))
    };
    set("mode", &quote(&options.mode))?;
    for (key, value) in DEFAULTS {
        set(key, value)?;
    }
    // Always given, even when empty: without them Zenoh would listen on a port nobody asked for.
    set("listen/endpoints", &list(&options.listen))?;
    set("connect/endpoints", &list(&options.connect))?;
    for entry in &options.overrides {
        set(&entry.key, &entry.value)?;
    }
    Ok(config)
}

fn list(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|v| quote(v)).collect();
    format!("[{}]", quoted.join(","))
}

fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
