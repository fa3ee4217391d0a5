//! Where files are, and the URLs at which clients find them (`contract/attachments.md` sections 3 and 4).
//!
//! A file in a bucket has the URL of the bucket, signed unless everybody may read it. A local file has the
//! signed file route of this server. Nothing here asks a database or a store.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, tz::TimeZone};
use percent_encoding::percent_decode_str;
use sha2::Sha256;

use crate::{
    clients::storage::{
        Error, Location, ObjectStore, Presentation, Result, Settings, StorageType, Stores, encode_path,
        is_safe_path, presigned,
    },
    clock::Millis,
    repositories::attachments::AttachmentRecord,
    services::media_types::presentation,
};

/// The path of the signed file route; the storage key follows.
pub const ROUTE: &str = "/api/v1/files/";

/// The life of the access URL of an avatar, in seconds.
const AVATAR_EXPIRY: u64 = 7 * 24 * 3600;

/// The life of the URL that a download is redirected to, in seconds.
const DOWNLOAD_EXPIRY: u64 = 300;

/// The folder of the avatars.
const AVATARS: &str = "avatar";

/// Stores of files and the URLs of what they hold. Cheap to clone.
#[derive(Clone)]
pub struct Files(Arc<State>);

struct State {
    key: Hmac<Sha256>,
    settings: Settings,
    stores: Stores,
}

/// Where and how a client sends a file without this server in between (`contract/attachments.md` section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadForm {
    /// Where the form is posted.
    pub url: String,
    /// The fields that stand before the file.
    pub fields: Vec<(String, String)>,
}

impl Files {
    /// Derives the key of the file route from the secret of the login tokens. Nothing is opened.
    #[must_use]
    pub fn new(secret: &str, settings: Settings) -> Self {
        let mac = |key: &[u8]| {
            // HMAC takes keys of any length.
            <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!())
        };
        let derived = mac(secret.as_bytes()).chain_update(b"aimo file urls").finalize().into_bytes();
        Self(Arc::new(State { key: mac(&derived), settings, stores: Stores::default() }))
    }

    /// Returns what is configured.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns where new files go.
    ///
    /// # Errors
    /// Nothing is configured.
    pub fn current(&self) -> Result<&Location> {
        self.0.settings.current.as_ref().ok_or(Error::NotConfigured)
    }

    /// Returns the store of a location.
    ///
    /// # Errors
    /// The location is not complete.
    pub fn store(&self, location: &Location) -> Result<Arc<dyn ObjectStore>> {
        self.0.stores.open(&self.0.settings, location)
    }

    /// Returns the access URL of an attachment; empty when its row does not say enough.
    #[must_use]
    pub fn attachment_url(&self, record: &AttachmentRecord, now: Millis) -> String {
        let url = location_of(record)
            .and_then(|location| self.url(&location, &record.path, self.0.settings.url_expiry, now));
        or_no_url(url)
    }

    /// Returns the access URL of an avatar: empty for none, a full URL as it is.
    #[must_use]
    pub fn avatar_url(&self, avatar: Option<&str>, now: Millis) -> String {
        match avatar {
            None | Some("") => String::new(),
            Some(url) if url.starts_with("http") => url.to_owned(),
            Some(key) => or_no_url(self.current().and_then(|place| self.url(place, key, AVATAR_EXPIRY, now))),
        }
    }

    fn url(&self, location: &Location, path: &str, expiry: u64, now: Millis) -> Result<String> {
        let Presentation { content_type, is_download } = presentation(path);
        match location.storage {
            StorageType::Local => Ok(self.local_url(path, expiry, now)),
            StorageType::S3 | StorageType::Oss if self.is_public(location) => {
                let path_style = self.0.settings.address(location)?.path_style;
                location.public_url(path, Some(path_style))
            }
            StorageType::S3 | StorageType::Oss => {
                let mut overrides = vec![("response-content-type", content_type)];
                if is_download {
                    overrides.push(("response-content-disposition", "attachment"));
                }
                self.signed_url(location, path, &overrides, expiry, now)
            }
        }
    }

    /// Reports whether everybody may read a bucket: its row decides, and the present setting for rows that do
    /// not say.
    fn is_public(&self, location: &Location) -> bool {
        let configured = self.0.settings.current.as_ref().and_then(|current| current.is_public);
        location.is_public.or(configured).unwrap_or_default()
    }

    fn signed_url(
        &self,
        location: &Location,
        path: &str,
        overrides: &[(&str, &str)],
        expiry: u64,
        now: Millis,
    ) -> Result<String> {
        let address = self.0.settings.address(location)?;
        let key = location.key(path);
        // Without credentials this is the URL of a bucket that asks for none, or refuses.
        let Some(credentials) = self.0.settings.credentials(location) else { return Ok(address.url(&key)) };
        Ok(presigned::presigned_get(credentials, &address, &key, overrides, expiry, now))
    }

    /// Returns the short-lived URL at which a bucket serves a download by itself; `None` for a local file.
    ///
    /// # Errors
    /// The row does not say enough.
    pub fn download_url(
        &self,
        record: &AttachmentRecord,
        disposition: &str,
        now: Millis,
    ) -> Result<Option<String>> {
        let location = location_of(record)?;
        if location.storage == StorageType::Local {
            return Ok(None);
        }
        let overrides =
            [("response-content-disposition", disposition), ("response-content-type", &record.media_type)];
        self.signed_url(&location, &record.path, &overrides, DOWNLOAD_EXPIRY, now).map(Some)
    }

    /// Returns the form with which a client sends exactly `size` bytes to a path before `expires_at`.
    ///
    /// # Errors
    /// The location is not complete.
    pub fn upload_form(
        &self,
        location: &Location,
        path: &str,
        size: u64,
        expires_at: Millis,
        now: Millis,
    ) -> Result<UploadForm> {
        let Presentation { content_type, is_download } = presentation(path);
        if location.storage == StorageType::Local {
            let expires = expires_at.div_euclid(1000);
            let signature = self.sign(&upload_text(path, size, expires));
            let fields = [
                ("key", path.to_owned()),
                ("size", size.to_string()),
                ("expires", expires.to_string()),
                ("signature", signature),
            ];
            let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
            return Ok(UploadForm { url: format!("{ROUTE}{}", encode_path(path)), fields: fields.collect() });
        }
        let address = self.0.settings.address(location)?;
        let credentials = self.0.settings.credentials(location).ok_or(Error::NotConfigured)?;
        let mut fields = vec![("Content-Type", content_type)];
        if is_download {
            fields.push(("Content-Disposition", "attachment"));
        }
        let key = location.key(path);
        let fields = presigned::presigned_form(credentials, &address, &key, size, &fields, expires_at, now);
        Ok(UploadForm { url: address.url(""), fields })
    }

    fn local_url(&self, path: &str, expiry: u64, now: Millis) -> String {
        let expires = now.div_euclid(1000) + i64::try_from(expiry).unwrap_or_default();
        let signature = self.sign(&read_text(path, expires));
        format!("{ROUTE}{}?expires={expires}&signature={signature}", encode_path(path))
    }

    fn sign(&self, text: &str) -> String {
        hex::encode(self.0.key.clone().chain_update(text).finalize().into_bytes())
    }

    fn verifies(&self, text: &str, expires: i64, signature: &str, now: Millis) -> bool {
        let mac = self.0.key.clone().chain_update(text);
        let is_right = hex::decode(signature).is_ok_and(|bytes| mac.verify_slice(&bytes).is_ok());
        is_right && now.div_euclid(1000) < expires
    }

    /// Reports whether a URL of the file route permits to read a local file now.
    #[must_use]
    pub fn may_read(&self, path: &str, expires: i64, signature: &str, now: Millis) -> bool {
        is_safe_path(path) && self.verifies(&read_text(path, expires), expires, signature, now)
    }

    /// Reports whether a form of [`Files::upload_form`] permits to write a local file now.
    #[must_use]
    pub fn may_write(&self, path: &str, size: u64, expires: i64, signature: &str, now: Millis) -> bool {
        is_safe_path(path) && self.verifies(&upload_text(path, size, expires), expires, signature, now)
    }
}

fn read_text(path: &str, expires: i64) -> String {
    format!("{path}\n{expires}")
}

/// What the signature of an upload stands for. No path holds a line break, so that none of these is the text
/// of a URL.
fn upload_text(path: &str, size: u64, expires: i64) -> String {
    format!("upload\n{path}\n{size}\n{expires}")
}

/// A file whose place cannot be read has no URL; the rest of the answer is of use all the same.
fn or_no_url(url: Result<String>) -> String {
    url.unwrap_or_else(|error| {
        tracing::error!(error = %error, "files.no_url");
        String::new()
    })
}

/// Returns where the file of a row is.
///
/// # Errors
/// The row names a storage that does not exist.
pub fn location_of(record: &AttachmentRecord) -> Result<Location> {
    let storage = StorageType::of(&record.storage_type).ok_or(Error::BadLocation("an unknown storage type"))?;
    Ok(Location {
        storage,
        bucket: record.bucket.clone(),
        prefix: record.prefix.clone(),
        endpoint: record.endpoint.clone(),
        region: record.region.clone(),
        is_public: record.is_public_bucket,
    })
}

/// Returns the folder of the files that are uploaded now: `{uid}/{YYYY-MM-DD}`.
#[must_use]
pub fn folder(owner: &str, zone: &TimeZone, now: Millis) -> String {
    let day = Timestamp::from_millisecond(now).unwrap_or_default().to_zoned(zone.clone());
    format!("{owner}/{}", day.strftime("%Y-%m-%d"))
}

/// Returns the folder of the avatars of a user.
#[must_use]
pub fn avatar_folder(uid: &str) -> String {
    format!("{AVATARS}/{uid}")
}

/// Returns the text after the last dot of a file name, if it has 1 to `longest` letters and digits.
#[must_use]
pub fn extension(filename: &str, longest: usize) -> Option<&str> {
    let (_, extension) = filename.rsplit_once('.')?;
    let fits = (1..=longest).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then_some(extension)
}

/// Returns what is kept of the name of an upload: its last component, without control characters.
#[must_use]
pub fn clean_name(filename: &str) -> String {
    let name: String = filename.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = name.trim();
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}

/// Reports whether a URL is an access URL of a storage key: clients send the URL of the current
/// avatar back when it has not changed (`contract/auth-user.md`, route 4).
#[must_use]
pub fn is_url_of(url: &str, key: &str) -> bool {
    let is_url = ["http://", "https://", ROUTE].iter().any(|start| url.starts_with(start));
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let path = percent_decode_str(path).decode_utf8_lossy();
    is_url && path.strip_suffix(key).is_some_and(|before| before.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let settings = Settings {
            current: Some(Location::local()),
            local_root: "/nowhere".into(),
            s3_credentials: None,
            oss_credentials: None,
            s3_path_style: None,
            max_size: 1,
            blocked_types: Vec::new(),
            url_expiry: 3600,
        };
        Files::new("0123456789abcdef0123456789abcdef", settings)
    }

    #[test]
    fn an_access_url_is_recognised_as_that_of_its_key() {
        let key = "avatar/u1/2026-01-01/a.png";
        let url = files().avatar_url(Some(key), 0);
        assert!(is_url_of(&url, key));
        assert!(is_url_of("https://cdn.example/attachments/avatar/u1/2026-01-01/a.png?X-Amz=1", key));
        assert!(!is_url_of(&url, "avatar/u1/2026-01-01/b.png"));
        assert!(!is_url_of(key, key));
        assert_eq!(files().avatar_url(None, 0), "");
    }

    #[test]
    fn a_url_permits_what_it_was_made_for_until_it_expires() {
        let url = files().local_url("u1/读.png", 60, 1_000_000);
        let (path, query) = url.split_once("?expires=1060&signature=").unwrap();
        assert_eq!(path, "/api/v1/files/u1/%E8%AF%BB.png");
        let may_read = |path, expires, signature: &str, now| files().may_read(path, expires, signature, now);
        assert!(may_read("u1/读.png", 1060, query, 1_059_999));
        assert!(!may_read("u1/读.png", 1060, query, 1_060_000));
        assert!(!may_read("u1/读.png", 1061, query, 1_000_000));
        assert!(!may_read("u2/读.png", 1060, query, 1_000_000));
        assert!(!may_read("u1/读.png", 1060, "", 1_000_000));
        let escape = files().sign(&read_text("../x", 1060));
        assert!(!may_read("../x", 1060, &escape, 1_000_000));
    }

    #[test]
    fn a_form_permits_to_write_and_a_url_does_not() {
        let form = files().upload_form(&Location::local(), "u1/a.png", 5, 60_000, 0).unwrap();
        let signature = &form.fields.last().unwrap().1;
        assert!(files().may_write("u1/a.png", 5, 60, signature, 0));
        assert!(!files().may_write("u1/a.png", 6, 60, signature, 0));
        assert!(!files().may_write("u1/b.png", 5, 60, signature, 0));
        assert!(!files().may_write("u1/a.png", 5, 60, signature, 60_000));
        assert!(!files().may_read("u1/a.png", 60, signature, 0));
    }

    #[test]
    fn names_lose_their_folders_and_control_characters() {
        assert_eq!(clean_name("文档 一.txt"), "文档 一.txt");
        assert_eq!(clean_name("..\\..\\C:\\x\u{7}y\r\n.png"), "xy.png");
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name("a/"), "file");
    }

    #[test]
    fn extensions_are_short_and_plain() {
        assert_eq!(extension("a.b.PNG", 16), Some("PNG"));
        for name in ["README", "a.", "a.p/ng", "a.图", "a.12345678901234567"] {
            assert_eq!(extension(name, 16), None, "{name}");
        }
    }
}
