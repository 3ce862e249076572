//! Turns a connection plan back into command-line options.

use std::time::Duration;

use crate::{
    commands::{
        connection::{ConnectionPlan, MetadataPlan, Timeouts, TransportSecurity},
        contract::ContractSource,
    },
    metadata::HeaderSource,
    proxy::{Proxy, ProxySettings},
    user_path::UserPath,
};

/// The placeholder for the name of a file that only the user knows.
pub(super) const FILE_PLACEHOLDER: &str = "PEM";

/// The placeholder for a secret.
const SECRET_PLACEHOLDER: &str = "(hidden)";

/// Returns the command-line arguments that result in this plan: each option, followed by its value
/// if the option takes a value. Secrets are replaced by a placeholder.
pub(super) fn connection_options(plan: &ConnectionPlan) -> Vec<String> {
    let mut options = vec!["--server".to_owned(), plan.endpoint.to_string()];
    let mut add = |option: &str, value: &str| options.extend([option.to_owned(), value.to_owned()]);
    if let Some(name) = &plan.server_name {
        add("--servername", name);
    }
    if let Some(authority) = &plan.authority {
        add("--authority", authority.as_str());
    }
    add_proxy(&plan.proxy_settings, &mut add);
    add_metadata(&plan.metadata, &mut add);
    if let Some(prefix) = &plan.user_agent_prefix {
        add("--user-agent", prefix);
    }
    if plan.sends_gzip {
        add("--compress", "gzip");
    }
    if let Some(method) = &plan.contract.method {
        add("--method", method.as_str());
    }
    if let Some(interval) = plan.keepalive_interval {
        add("--keepalive-time", &milliseconds(interval));
    }
    add_contract_source(&plan.contract.source, &mut options);
    add_security(&plan.security, &mut options);
    options
}

/// Returns the command-line options of the timeouts that differ from their default.
pub(super) fn timeout_options(timeouts: Timeouts) -> Vec<String> {
    let defaults = Timeouts::default();
    [
        ("--connect-timeout", timeouts.connect, defaults.connect),
        ("--timeout", timeouts.request, defaults.request),
    ]
    .into_iter()
    .filter(|(_, timeout, default)| timeout != default)
    .flat_map(|(option, timeout, _)| [option.to_owned(), milliseconds(timeout)])
    .collect()
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

fn add_proxy(settings: &ProxySettings, add: &mut impl FnMut(&str, &str)) {
    let Some(Ok(proxy)) = settings.flag.as_deref().map(Proxy::parse) else {
        return;
    };
    match proxy.authorization {
        None => add("--proxy", &format!("http://{proxy}")),
        Some(_) => add("--proxy", &format!("http://{SECRET_PLACEHOLDER}@{proxy}")),
    }
}

fn add_metadata(metadata: &MetadataPlan, add: &mut impl FnMut(&str, &str)) {
    for header in &metadata.headers {
        match header {
            HeaderSource::File(file) => add("--header", &format!("@{file}")),
            HeaderSource::Line(line) => {
                if let Some((name, _)) = line.split_once(':') {
                    add("--header", &format!("{name}: {SECRET_PLACEHOLDER}"));
                }
            }
        }
    }
    if let Some(file) = &metadata.bearer_token_file {
        add("--bearer-token-file", &file.to_string());
    }
}

fn add_contract_source(source: &ContractSource, options: &mut Vec<String>) {
    match source {
        ContractSource::BuiltIn => {}
        ContractSource::Proto { file, import_paths } => {
            add_path(options, "--proto", &UserPath::from(file.as_path()));
            for folder in import_paths {
                add_path(options, "--import-path", &UserPath::from(folder.as_path()));
            }
        }
        ContractSource::DescriptorSet(file) => {
            add_path(options, "--protoset", &UserPath::from(file.as_path()));
        }
        ContractSource::Reflection => options.push("--reflection".to_owned()),
    }
}

fn add_security(security: &TransportSecurity, options: &mut Vec<String>) {
    let TransportSecurity::Tls {
        trusted_certificates,
        identity,
        skips_verification,
        allows_common_name,
    } = security
    else {
        options.push("--plaintext".to_owned());
        return;
    };
    for file in trusted_certificates {
        add_path(options, "--cacert", file);
    }
    if let Some(files) = identity {
        add_path(options, "--cert", &files.certificate);
        add_path(options, "--key", &files.key);
    }
    if *allows_common_name {
        options.push("--allow-common-name".to_owned());
    }
    if *skips_verification {
        options.push("--insecure".to_owned());
    }
}

fn add_path(options: &mut Vec<String>, option: &str, path: &UserPath) {
    options.extend([option.to_owned(), path.to_string()]);
}
