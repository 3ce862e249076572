//! Compiles `proto/sensor.proto`, and names the commit and the target for `--version`. The compiler is
//! protox, so that a build does not need `protoc`.

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
    let mut descriptors = protox::compile(["sensor.proto"], ["proto"])?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    // The receiver offers this descriptor set through server reflection.
    fs::write(out_dir.join("sensor.fds"), descriptors.encode_to_vec())?;
    // A generated unary method ignores all request messages after the first. The receiver refuses
    // such a request, so the generated method leaves the messages to the receiver.
    for file in &mut descriptors.file {
        let services = file.service.iter_mut();
        for method in services.flat_map(|service| &mut service.method) {
            method.client_streaming = Some(true);
        }
    }
    tonic_prost_build::configure()
        .build_client(false)
        .bytes(".")
        .compile_fds(descriptors)?;
    let commit = commit().unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=BUILD_TARGET={}", env::var("TARGET")?);
    Ok(())
}

/// Returns the commit of this folder, or `None` in a source archive or without the program `git`.
fn commit() -> Option<String> {
    // Without `--git-dir`, git would also find a repository that contains a source archive.
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        let output = command.arg("--git-dir=.git").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    // These files change with each commit and each checkout.
    for name in ["HEAD", "logs/HEAD"] {
        let file = git(&["rev-parse", "--git-path", name])?;
        // Cargo would run this script for each build if it waited for a missing file.
        if Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    Some(commit)
}
