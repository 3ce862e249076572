//! Compiles `proto/sensor.proto` and sets linker options. The compiler is protox, so that a build
//! does not need `protoc`.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["sensor.proto"], ["proto"])?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    // The receiver offers this descriptor set through server reflection.
    fs::write(out_dir.join("sensor.fds"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    if is_native_gnu_linux() {
        link_unwinder();
        link_at_fixed_address();
    }
    Ok(())
}

/// Returns the value of an environment variable, or an empty string if it is not set.
fn env_variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn is_native_gnu_linux() -> bool {
    env_variable("HOST") == env_variable("TARGET")
        && env_variable("CARGO_CFG_TARGET_OS") == "linux"
        && env_variable("CARGO_CFG_TARGET_ENV") == "gnu"
}

/// Links the unwinder statically if the C compiler has a static library of it. Otherwise the shared
/// library `libgcc_s` must be loaded at every start, which takes 0.1 ms or more.
fn link_unwinder() {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let found = Command::new(linker)
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    // The C compiler prints the path of the file, or only the file name if it has no such file.
    let has_archive = found.is_ok_and(|output| {
        String::from_utf8(output.stdout).is_ok_and(|path| Path::new(path.trim()).is_absolute())
    });
    if has_archive {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Links the program at a fixed address, as Go's linker does, unless the compiler flags choose the
/// relocation model. A position-independent program must relocate 11,000 addresses at every start,
/// which takes 5 % of the time of a one-record push.
fn link_at_fixed_address() {
    let has_relocation_model = env_variable("CARGO_ENCODED_RUSTFLAGS").contains("relocation-model");
    if !has_relocation_model && !env_variable("CARGO_CFG_TARGET_FEATURE").contains("crt-static") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
