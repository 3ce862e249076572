//! Turns options into the plan of `serve`.

use super::{connection::identity_files, terminal::terminal};
use crate::{
    cli::options::ServeArgs,
    commands::serve::{DumpDestination, Plan, ReceiverSecurity},
    diagnostics::Failure,
    receiver::Behavior,
};

pub(super) fn serve_plan(args: ServeArgs) -> Result<Plan, Failure> {
    if args.store.is_some() && args.store == args.dump {
        return Err(Failure::usage("--store and --dump name the same file"));
    }
    Ok(Plan {
        listen_address: args.listen,
        security: if args.plaintext {
            ReceiverSecurity::Plaintext
        } else {
            ReceiverSecurity::Tls {
                identity: identity_files(args.cert, args.key),
                client_ca_file: args.client_ca,
                cacert_output: args.write_cacert,
            }
        },
        store_file: args.store,
        dump: args.dump.map(|file| match file.to_str() {
            Some("-") => DumpDestination::Stdout,
            _ => DumpDestination::File(file),
        }),
        token_encoding: args.token_encoding,
        behavior: Behavior {
            code: args.code,
            fail_first: args.fail_first,
            delay: args.delay,
            max_message_size: args.max_message_size,
        },
        terminal: terminal(&args.output),
    })
}
