//! Compiles `proto/sensor.proto` with protox, so that no `protoc` is needed to build, and says how
//! to link.

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
    // For server reflection.
    fs::write(out_dir.join("sensor.fds"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    if is_native_gnu_linux() {
        link_unwinder();
        link_in_place();
    }
    Ok(())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn is_native_gnu_linux() -> bool {
    variable("HOST") == variable("TARGET")
        && variable("CARGO_CFG_TARGET_OS") == "linux"
        && variable("CARGO_CFG_TARGET_ENV") == "gnu"
}

/// Links the unwinder into the program where the compiler has it as an archive. As the shared
/// library `libgcc_s` it costs every start a tenth of a millisecond and more.
fn link_unwinder() {
    let linker = env::var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let found = Command::new(linker)
        .arg("-print-file-name=libgcc_eh.a")
        .output();
    // The name alone is the answer where there is no such file.
    let is_there = found.is_ok_and(|output| {
        String::from_utf8(output.stdout).is_ok_and(|path| Path::new(path.trim()).is_absolute())
    });
    if is_there {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Links the program for the place where it will stand, as Go's linker does, unless the flags say
/// how. Else every start writes 11,000 addresses into it, a twentieth of a push of one record.
fn link_in_place() {
    let is_told = variable("CARGO_ENCODED_RUSTFLAGS").contains("relocation-model");
    if !is_told && !variable("CARGO_CFG_TARGET_FEATURE").contains("crt-static") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
