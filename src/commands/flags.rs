//! Connection options back to the flags that ask for them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Connection, MetadataPlan, Schema, Security, Timeouts};
use crate::{
    diagnostics::SuggestedFix,
    proxy::{Proxy, ProxySettings},
};

/// What stands for a file that only the user can name.
const FILE: &str = "PEM";

/// What stands for a secret.
const HIDDEN: &str = "(hidden)";

impl Connection {
    /// The same with one change.
    pub(super) fn mended(&self, mend: &SuggestedFix) -> Self {
        let mut mended = self.clone();
        match (mend, &mut mended.security) {
            (SuggestedFix::ServerName(name), _) => mended.server_name = Some(name.clone()),
            (SuggestedFix::Method(path), _) => {
                let contract = &mut mended.contract;
                contract.method = path.parse().ok().or(contract.method.take());
                // Another service's fields may have other numbers, and what a server does not know
                // it passes over. It told its services, and so it tells their fields.
                if contract.schema == Schema::BuiltIn {
                    contract.schema = Schema::Reflection;
                }
            }
            (
                SuggestedFix::AllowCommonName,
                Security::Tls {
                    allow_common_name, ..
                },
            ) => *allow_common_name = true,
            (SuggestedFix::TrustedCertificate, Security::Tls { anchors, .. }) => {
                *anchors = vec![FILE.into()]
            }
            (SuggestedFix::ClientCertificate, Security::Tls { identity, .. }) => {
                *identity = Some((FILE.into(), FILE.into()));
            }
            (SuggestedFix::Plaintext, security) => *security = Security::Plaintext,
            (SuggestedFix::NoPlaintext, security) => {
                *security = Security::Tls {
                    anchors: Vec::new(),
                    identity: None,
                    insecure: false,
                    allow_common_name: false,
                };
            }
            // What plaintext has none of.
            (
                SuggestedFix::AllowCommonName
                | SuggestedFix::TrustedCertificate
                | SuggestedFix::ClientCertificate,
                Security::Plaintext,
            ) => {}
        }
        mended
    }

    /// The flags. Secrets are not shown.
    pub(super) fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--server".to_owned(), self.endpoint.to_string()];
        let mut add = |flag: &str, value: &str| flags.extend([flag.to_owned(), value.to_owned()]);
        if let Some(name) = &self.server_name {
            add("--servername", name);
        }
        if let Some(authority) = &self.authority {
            add("--authority", authority.as_str());
        }
        self.proxies.flags(&mut add);
        self.metadata.flags(&mut add);
        if let Some(text) = &self.user_agent {
            add("--user-agent", text);
        }
        if self.gzip {
            add("--compress", "gzip");
        }
        if let Some(method) = &self.contract.method {
            add("--method", method.as_str());
        }
        if let Some(interval) = self.keepalive {
            add("--keepalive-time", &millis(interval));
        }
        self.contract.schema.flags(&mut flags);
        self.security.flags(&mut flags);
        flags
    }
}

impl Timeouts {
    /// Those that are not the usual ones.
    pub(super) fn flags(&self) -> Vec<String> {
        let usual = Self::default();
        [
            ("--connect-timeout", self.connect, usual.connect),
            ("--timeout", self.request, usual.request),
        ]
        .into_iter()
        .filter(|(_, given, usual)| given != usual)
        .flat_map(|(flag, given, _)| [flag.to_owned(), millis(given)])
        .collect()
    }
}

fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

impl Security {
    fn flags(&self, flags: &mut Vec<String>) {
        let file = |path: &PathBuf| path.to_string_lossy().into_owned();
        let Self::Tls {
            anchors,
            identity,
            insecure,
            allow_common_name,
        } = self
        else {
            flags.push("--plaintext".to_owned());
            return;
        };
        for anchor in anchors {
            flags.extend(["--cacert".to_owned(), file(anchor)]);
        }
        if let Some((cert, key)) = identity {
            flags.extend(["--cert".to_owned(), file(cert)]);
            flags.extend(["--key".to_owned(), file(key)]);
        }
        if *allow_common_name {
            flags.push("--allow-common-name".to_owned());
        }
        if *insecure {
            flags.push("--insecure".to_owned());
        }
    }
}

impl Schema {
    fn flags(&self, flags: &mut Vec<String>) {
        let mut add = |flag: &str, path: &Path| {
            flags.extend([flag.to_owned(), path.to_string_lossy().into_owned()]);
        };
        match self {
            Self::BuiltIn => {}
            Self::Proto { file, import_paths } => {
                add("--proto", file);
                for folder in import_paths {
                    add("--import-path", folder);
                }
            }
            Self::Set(file) => add("--protoset", file),
            Self::Reflection => flags.push("--reflection".to_owned()),
        }
    }
}

impl ProxySettings {
    fn flags(&self, add: &mut impl FnMut(&str, &str)) {
        let Some(Ok(proxy)) = self.flag.as_deref().map(Proxy::parse) else {
            return;
        };
        match proxy.authorization {
            None => add("--proxy", &format!("http://{proxy}")),
            Some(_) => add("--proxy", &format!("http://{HIDDEN}@{proxy}")),
        }
    }
}

impl MetadataPlan {
    fn flags(&self, add: &mut impl FnMut(&str, &str)) {
        for header in &self.headers {
            match header.split_once(':') {
                _ if header.starts_with('@') => add("--header", header),
                Some((name, _)) => add("--header", &format!("{name}: {HIDDEN}")),
                None => {}
            }
        }
        if let Some(file) = &self.bearer_token_file {
            add("--bearer-token-file", &Path::new(file).to_string_lossy());
        }
    }
}
