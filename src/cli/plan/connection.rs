//! Turns options into a [`ConnectionPlan`]: the server, trusted certificates, proxy and request
//! headers.

use crate::{
    cli::options::ConnectionArgs,
    commands::{
        ConnectionPlan, ContractPlan, ContractSource, IdentityFiles, MetadataPlan, Timeouts,
        TransportSecurity,
    },
    diagnostics::Failure,
    proxy::{EnvironmentVariable, ProxySettings},
    user_path::UserPath,
};

pub(super) fn connection_plan(args: ConnectionArgs) -> Result<ConnectionPlan, Failure> {
    let contract = contract_plan(&args);
    let endpoint = args.server.ok_or_else(|| {
        // Clap has already refused a command line without a server.
        Failure::usage_with_hint("no server", "pass --server HOST:PORT")
    })?;
    Ok(ConnectionPlan {
        endpoint,
        security: if args.plaintext {
            TransportSecurity::Plaintext
        } else {
            TransportSecurity::Tls {
                trusted_certificates: args.cacert,
                identity: identity_files(args.cert, args.key),
                skips_verification: args.insecure,
                allows_common_name: args.allow_common_name,
            }
        },
        server_name: args.servername,
        authority: args.authority,
        metadata: MetadataPlan {
            headers: args.header,
            bearer_token_file: args.bearer_token_file,
        },
        user_agent_prefix: args.user_agent,
        sends_gzip: args.compress.is_some(),
        proxy_settings: ProxySettings {
            flag: args.proxy,
            environment: first_variable(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]),
            exceptions: first_variable(&["NO_PROXY", "no_proxy"])
                .map(|variable| variable.value)
                .unwrap_or_default(),
        },
        keepalive_interval: args.keepalive_time,
        contract,
    })
}

/// On the command line, clap requires both files. If only one file is set, it comes from the
/// environment or the config file and is ignored.
pub(super) fn identity_files(
    certificate: Option<UserPath>,
    key: Option<UserPath>,
) -> Option<IdentityFiles> {
    Some(IdentityFiles {
        certificate: certificate?,
        key: key?,
    })
}

/// Returns the first of these environment variables that is set to a value that is not empty.
fn first_variable(names: &[&'static str]) -> Option<EnvironmentVariable> {
    names.iter().find_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then_some(EnvironmentVariable { name, value })
    })
}

pub(super) fn timeouts(args: &ConnectionArgs) -> Timeouts {
    Timeouts {
        connect: args.connect_timeout,
        request: args.timeout,
    }
}

pub(super) fn contract_plan(args: &ConnectionArgs) -> ContractPlan {
    ContractPlan {
        method: args.method.clone(),
        // Clap has already refused more than one of these options.
        source: match (&args.proto, &args.protoset, args.reflection) {
            (Some(file), ..) => ContractSource::Proto {
                file: file.clone(),
                import_paths: args.import_path.clone(),
            },
            (_, Some(file), _) => ContractSource::DescriptorSet(file.clone()),
            (.., true) => ContractSource::Reflection,
            (None, None, false) => ContractSource::BuiltIn,
        },
    }
}
