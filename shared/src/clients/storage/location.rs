//! Where an object was written, and at which URL that is (`contract/attachments.md` sections 3 and 4).

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Error, Result, encode_path};

/// The kinds of storage, by their names in the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageType {
    /// A directory.
    Local,
    /// Amazon S3, or a service that speaks its protocol.
    S3,
    /// Aliyun OSS, through its S3 interface.
    Oss,
}

impl StorageType {
    /// Returns the name in the rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::S3 => "s3",
            Self::Oss => "oss",
        }
    }

    /// Returns the type with a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Local, Self::S3, Self::Oss].into_iter().find(|storage| storage.name() == name)
    }
}

/// Where an object was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The kind of storage.
    pub storage: StorageType,
    /// The bucket; `None` for a directory, as everything below.
    pub bucket: Option<String>,
    /// What all keys begin with.
    pub prefix: Option<String>,
    /// The service, with or without a scheme; `None` for that of the region.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Whether everybody may read the bucket; unknown in old rows.
    pub is_public: Option<bool>,
}

/// Where the bucket of a location answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `http` or `https`.
    pub scheme: String,
    /// The service without the bucket, with its port.
    pub service: String,
    /// The bucket.
    pub bucket: String,
    /// Whether the bucket stands in the path and not in the name of the host.
    pub path_style: bool,
    /// The region, as signatures name it.
    pub region: String,
}

impl Address {
    /// Returns the host that requests name.
    #[must_use]
    pub fn host(&self) -> String {
        // An endpoint may name the bucket already.
        if self.path_style || self.service.starts_with(&format!("{}.", self.bucket)) {
            self.service.clone()
        } else {
            format!("{}.{}", self.bucket, self.service)
        }
    }

    /// Returns the path of an object, percent-encoded; of the bucket itself for an empty key.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        let key = encode_path(key);
        if self.path_style { format!("/{}/{key}", self.bucket) } else { format!("/{key}") }
    }

    /// Returns the URL of an object, without a signature.
    #[must_use]
    pub fn url(&self, key: &str) -> String {
        format!("{}://{}{}", self.scheme, self.host(), self.path(key))
    }
}

impl Location {
    /// Returns the directory of local files.
    #[must_use]
    pub fn local() -> Self {
        Self {
            storage: StorageType::Local,
            bucket: None,
            prefix: None,
            endpoint: None,
            region: None,
            is_public: None,
        }
    }

    /// Returns the key of a path: below the prefix, without repeated slashes.
    #[must_use]
    pub fn key(&self, path: &str) -> String {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let parts: Vec<&str> =
            prefix.split('/').chain(path.split('/')).filter(|segment| !segment.is_empty()).collect();
        parts.join("/")
    }

    /// Returns the URL of an object in a public bucket.
    ///
    /// # Errors
    /// As [`Location::address`].
    pub fn public_url(&self, path: &str, path_style: Option<bool>) -> Result<String> {
        let mut address = self.address(path_style)?;
        // The S3 interface of OSS wants signatures; the plain one serves public objects.
        if self.storage == StorageType::Oss {
            address.service = address.service.trim_start_matches("s3.").to_owned();
        }
        Ok(address.url(&self.key(path)))
    }

    /// Returns where the S3 interface of the bucket answers. Unless `path_style` is given, the bucket stands in
    /// the name of the host, except at an endpoint that does not name the region, or has no name at all.
    ///
    /// # Errors
    /// The location is a directory, or has no bucket.
    pub fn address(&self, path_style: Option<bool>) -> Result<Address> {
        let bucket = self.bucket.clone().filter(|bucket| !bucket.is_empty());
        let bucket = bucket.ok_or(Error::BadLocation("no bucket"))?;
        let default_region = if self.storage == StorageType::Oss { "cn-hangzhou" } else { "us-east-1" };
        let region = self.region.as_deref().filter(|region| !region.is_empty()).unwrap_or(default_region);
        let endpoint = self.endpoint.as_deref().map(|endpoint| endpoint.trim().trim_end_matches('/'));
        let endpoint = endpoint.filter(|endpoint| !endpoint.is_empty());
        let (scheme, service) = match (self.storage, endpoint) {
            (StorageType::Local, _) => return Err(Error::BadLocation("a directory has no address")),
            (_, Some(endpoint)) => endpoint.split_once("://").unwrap_or(("https", endpoint)),
            (StorageType::S3 | StorageType::Oss, None) => ("https", ""),
        };
        let region = region.trim_start_matches("oss-");
        let service = match (self.storage, service) {
            (StorageType::S3, "") => format!("s3.{region}.amazonaws.com"),
            (StorageType::Oss, "") => format!("s3.oss-{region}.aliyuncs.com"),
            // The S3 interface of OSS has a name of its own.
            (StorageType::Oss, host) if host.ends_with(".aliyuncs.com") => {
                let plain = host.trim_start_matches(&format!("{bucket}.")).trim_start_matches("s3.");
                format!("s3.{plain}")
            }
            (_, host) => host.to_owned(),
        };
        let host = service.rsplit_once(':').map_or(service.as_str(), |(host, _)| host);
        let is_name = host.trim_matches(['[', ']']).parse::<IpAddr>().is_err() && host != "localhost";
        let by_rule = self.storage == StorageType::S3 && endpoint.is_some_and(|text| !text.contains(region));
        let path_style = path_style.unwrap_or(by_rule || !is_name);
        let (scheme, region) = (scheme.to_owned(), region.to_owned());
        Ok(Address { scheme, service, bucket, path_style, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(storage: StorageType, endpoint: Option<&str>, region: &str) -> Location {
        Location {
            storage,
            bucket: Some("b".to_owned()),
            prefix: Some("/pre//fix/".to_owned()),
            endpoint: endpoint.map(str::to_owned),
            region: Some(region.to_owned()),
            is_public: Some(true),
        }
    }

    #[test]
    fn public_urls_are_those_of_the_contract() {
        use StorageType::{Oss, S3};
        let url = |storage, endpoint, region| {
            location(storage, endpoint, region).public_url("u1/2026-01-01/读 1.png", None).unwrap()
        };
        let rest = "/pre/fix/u1/2026-01-01/%E8%AF%BB%201.png";
        for (storage, endpoint, region, base) in [
            (S3, None, "eu-central-1", "https://b.s3.eu-central-1.amazonaws.com"),
            (
                S3,
                Some("https://s3.eu-central-1.example.com"),
                "eu-central-1",
                "https://b.s3.eu-central-1.example.com",
            ),
            (S3, Some("minio.example:9000/"), "us-east-1", "https://minio.example:9000/b"),
            (S3, Some("http://127.0.0.1:8333"), "us-east-1", "http://127.0.0.1:8333/b"),
            (Oss, None, "cn-hangzhou", "https://b.oss-cn-hangzhou.aliyuncs.com"),
            (Oss, None, "oss-cn-hangzhou", "https://b.oss-cn-hangzhou.aliyuncs.com"),
            (
                Oss,
                Some("https://oss-cn-beijing.aliyuncs.com"),
                "cn-beijing",
                "https://b.oss-cn-beijing.aliyuncs.com",
            ),
            (Oss, Some("b.oss-cn-beijing.aliyuncs.com"), "cn-beijing", "https://b.oss-cn-beijing.aliyuncs.com"),
            (Oss, Some("https://img.example"), "cn-beijing", "https://b.img.example"),
            (Oss, Some("https://b.img.example"), "cn-beijing", "https://b.img.example"),
        ] {
            assert_eq!(url(storage, endpoint, region), format!("{base}{rest}"));
        }
    }

    #[test]
    fn oss_is_asked_at_its_s3_interface() {
        for endpoint in
            [None, Some("oss-cn-hangzhou.aliyuncs.com"), Some("https://s3.oss-cn-hangzhou.aliyuncs.com")]
        {
            let address = location(StorageType::Oss, endpoint, "cn-hangzhou").address(None).unwrap();
            assert_eq!(address.host(), "b.s3.oss-cn-hangzhou.aliyuncs.com", "{endpoint:?}");
        }
    }

    #[test]
    fn the_style_can_be_forced() {
        let location = location(StorageType::S3, Some("https://minio.example"), "us-east-1");
        assert_eq!(location.address(Some(false)).unwrap().url("k"), "https://b.minio.example/k");
        assert_eq!(location.address(Some(true)).unwrap().url("k"), "https://minio.example/b/k");
    }

    #[test]
    fn a_place_without_bucket_has_no_address() {
        assert!(Location::local().address(None).is_err());
        assert_eq!(Location::local().key("u1//a.png"), "u1/a.png");
    }
}
