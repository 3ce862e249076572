//! Connection flags as typed to a resolved connection.

use super::options::ConnectionArgs;
use crate::{
    commands::{Connection, ContractPlan, MetadataPlan, Schema, Security, Timeouts},
    diagnostics::Failure,
    proxy::{EnvironmentProxy, ProxySettings},
};

pub(super) fn connection(args: ConnectionArgs) -> Result<Connection, Failure> {
    let contract = args.contract();
    let endpoint = args.server.ok_or_else(|| {
        // Clap demands it before.
        Failure::usage_with_hint("no server", "--server HOST:PORT")
    })?;
    Ok(Connection {
        endpoint,
        security: if args.plaintext {
            Security::Plaintext
        } else {
            Security::Tls {
                anchors: args.cacert,
                identity: args.cert.zip(args.key),
                insecure: args.insecure,
                allow_common_name: args.allow_common_name,
            }
        },
        server_name: args.servername,
        authority: args.authority,
        metadata: MetadataPlan {
            headers: args.header,
            bearer_token_file: args.bearer_token_file,
        },
        user_agent: args.user_agent,
        gzip: args.compress.is_some(),
        proxies: ProxySettings {
            flag: args.proxy,
            environment: variable(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
                .map(|(variable, url)| EnvironmentProxy { variable, url }),
            exceptions: variable(&["NO_PROXY", "no_proxy"])
                .map(|(_, value)| value)
                .unwrap_or_default(),
        },
        keepalive: args.keepalive_time,
        contract,
    })
}

/// The first of these that is set to anything.
fn variable(names: &[&'static str]) -> Option<(&'static str, String)> {
    names.iter().find_map(|name| {
        let value = std::env::var(name).ok()?;
        (!value.is_empty()).then_some((*name, value))
    })
}

pub(super) fn timeouts(args: &ConnectionArgs) -> Timeouts {
    Timeouts {
        connect: args.connect_timeout,
        request: args.timeout,
    }
}

impl ConnectionArgs {
    pub(super) fn contract(&self) -> ContractPlan {
        ContractPlan {
            method: self.method.clone(),
            // Clap lets no two of them through.
            schema: match (&self.proto, &self.protoset, self.reflection) {
                (Some(file), ..) => Schema::Proto {
                    file: file.clone(),
                    import_paths: self.import_path.clone(),
                },
                (_, Some(file), _) => Schema::Set(file.clone()),
                (.., true) => Schema::Reflection,
                (None, None, false) => Schema::BuiltIn,
            },
        }
    }

    pub(super) fn names_a_server(&self) -> bool {
        self.server.is_some()
            || !self.cacert.is_empty()
            || self.cert.is_some()
            || self.servername.is_some()
            || self.authority.is_some()
            || self.insecure
            || self.allow_common_name
            || self.plaintext
            || !self.header.is_empty()
            || self.bearer_token_file.is_some()
            || self.user_agent.is_some()
            || self.compress.is_some()
            || self.proxy.is_some()
            || self.keepalive_time.is_some()
            || self.method.is_some()
            || self.reflection
    }
}
