//! The settings of the storage of files (`contract/configuration.md` section 6).

use std::path::{Path, PathBuf};

use super::{Problems, Runtime, Variables};
use crate::clients::storage::{self, Credentials, Location, StorageType, presigned};

/// Reads the settings of the storage of files alone, for a process that needs no login tokens.
///
/// # Errors
/// [`Problems`] lists everything that is missing or wrong.
pub fn read_files(runtime: Runtime, mut variables: Variables) -> Result<storage::Settings, Problems> {
    let data_dir = PathBuf::from(variables.text("DATA_DIR", ".data"));
    let settings = read(&mut variables, runtime, &data_dir);
    if variables.problems.is_empty() { Ok(settings) } else { Err(Problems(variables.problems)) }
}

/// Media types that no upload may have (`contract/attachments.md`, route 1).
const BLOCKED_TYPES: &str = "text/html, application/html, application/xhtml+xml, application/xml, text/xml, \
    application/javascript, text/javascript, application/x-javascript, text/ecmascript, application/ecmascript, \
    application/x-executable, application/x-elf, application/x-msdownload, application/x-ms-exe, text/x-python, \
    text/x-java-source, text/x-csrc, text/x-c++src, text/x-shellscript";

pub(super) fn read(vars: &mut Variables, runtime: Runtime, data_dir: &Path) -> storage::Settings {
    let types = [("local", StorageType::Local), ("s3", StorageType::S3), ("oss", StorageType::Oss)];
    let chosen = vars.one_of("ATTACHMENT_STORAGE_TYPE", &types);
    let max_size = vars.number("ATTACHMENT_MAX_FILE_SIZE", 50 * 1024 * 1024);
    let url_expiry = vars.number("ATTACHMENT_PRESIGNED_URL_EXPIRY", 3600);
    if !(1..=presigned::MAX_EXPIRY).contains(&url_expiry) {
        vars.problems.push("ATTACHMENT_PRESIGNED_URL_EXPIRY must be from 1 to 604800 seconds".to_owned());
    }
    let s3_credentials = key_pair(vars, "ATTACHMENT_S3_ACCESS_KEY_ID", "ATTACHMENT_S3_SECRET_ACCESS_KEY");
    let s3_credentials = s3_credentials.or_else(|| role_credentials(vars));
    let oss_credentials = key_pair(vars, "ATTACHMENT_OSS_ACCESS_KEY_ID", "ATTACHMENT_OSS_ACCESS_KEY_SECRET");
    let current = match chosen {
        Some(StorageType::Local) => Some(Location::local()),
        Some(StorageType::S3) => s3_location(vars),
        Some(StorageType::Oss) => oss_location(vars),
        None if runtime == Runtime::Local => Some(Location::local()),
        // Functions that have nothing to do with files need no bucket.
        None => vars.get("ATTACHMENT_S3_BUCKET").is_some().then(|| s3_location(vars)).flatten(),
    };
    let (missing, of) = match current.as_ref().map(|location| location.storage) {
        Some(StorageType::S3) => (s3_credentials.is_none(), "S3"),
        Some(StorageType::Oss) => (oss_credentials.is_none(), "OSS"),
        Some(StorageType::Local) | None => (false, ""),
    };
    if missing {
        vars.problems.push(format!("ATTACHMENT_{of}_ACCESS_KEY_ID and its secret are missing"));
    }
    let path_style = vars.one_of("ATTACHMENT_S3_FORCE_PATH_STYLE", &[("true", true), ("false", false)]);
    let blocked = vars.text("ATTACHMENT_BLOCKED_MIME_TYPES", BLOCKED_TYPES).to_lowercase();
    let blocked = blocked.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    storage::Settings {
        local_root: local_root(vars, runtime, data_dir, current.as_ref()),
        current,
        s3_credentials,
        oss_credentials,
        s3_path_style: path_style,
        max_size,
        blocked_types: blocked.collect(),
        url_expiry,
    }
}

/// Reads the credentials of the role, or of the environment.
pub(super) fn role_credentials(vars: &mut Variables) -> Option<Credentials> {
    let token = vars.get("AWS_SESSION_TOKEN").map(|token| token.to_owned().into());
    let keys = key_pair(vars, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")?;
    Some(Credentials { session_token: token, ..keys })
}

fn s3_location(vars: &mut Variables) -> Option<Location> {
    let region = vars.get("ATTACHMENT_S3_REGION").or_else(|| vars.get("AWS_REGION"));
    let region = region.unwrap_or("us-east-1").to_owned();
    bucket(vars, StorageType::S3, "S3", region)
}

fn oss_location(vars: &mut Variables) -> Option<Location> {
    let region = vars.text("ATTACHMENT_OSS_REGION", "cn-hangzhou");
    bucket(vars, StorageType::Oss, "OSS", region)
}

fn bucket(vars: &mut Variables, storage: StorageType, of: &str, region: String) -> Option<Location> {
    let name = |setting: &str| format!("ATTACHMENT_{of}_{setting}");
    let Some(bucket) = vars.get(&name("BUCKET")).map(str::to_owned) else {
        vars.problems.push(format!("{} is missing", name("BUCKET")));
        return None;
    };
    Some(Location {
        storage,
        bucket: Some(bucket),
        prefix: Some(vars.text(&name("PREFIX"), "attachments")),
        endpoint: vars.get(&name("ENDPOINT")).map(str::to_owned),
        region: Some(region),
        is_public: Some(vars.enabled(&name("IS_PUBLIC"))),
    })
}

fn key_pair(vars: &mut Variables, id: &str, secret: &str) -> Option<Credentials> {
    match (vars.get(id), vars.get(secret)) {
        (Some(id), Some(secret)) => Some(Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: secret.to_owned().into(),
            session_token: None,
        }),
        (None, None) => None,
        _ => {
            let problem = format!("{id} and {secret} must be set together");
            // Those of the environment are read for each of their uses.
            if !vars.problems.contains(&problem) {
                vars.problems.push(problem);
            }
            None
        }
    }
}

fn local_root(vars: &mut Variables, runtime: Runtime, data_dir: &Path, current: Option<&Location>) -> PathBuf {
    let configured = vars.get("ATTACHMENT_LOCAL_PATH").map(PathBuf::from);
    let root = configured.unwrap_or_else(|| data_dir.join("attachments"));
    let is_used = current.is_some_and(|location| location.storage == StorageType::Local);
    if is_used {
        require_mount(vars, runtime, "ATTACHMENT_LOCAL_PATH", &root);
    }
    root
}

/// Refuses a place of a function that would be lost with it (`contract/configuration.md` section 2).
pub(super) fn require_mount(vars: &mut Variables, runtime: Runtime, name: &str, path: &Path) {
    let mount = vars.get("EFS_MOUNT_PATH").map(PathBuf::from);
    if runtime == Runtime::Lambda && !mount.is_some_and(|mount| path.starts_with(mount)) {
        vars.problems.push(format!("{name} must lie below EFS_MOUNT_PATH in Lambda"));
    }
}
