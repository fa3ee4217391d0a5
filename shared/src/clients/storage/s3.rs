//! A bucket of S3, of a service that speaks its protocol, or of OSS through its S3 interface.

use std::{io, time::Duration};

use axum::http::Uri;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture};
use object_store::{
    Attribute, Attributes, ClientOptions, Error as StoreError, GetOptions, MultipartUpload, ObjectStore as _,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    list::{PaginatedListOptions, PaginatedListStore},
    path::Path,
};
use tokio::{fs::File, io::AsyncReadExt};
use url::Url;

use super::{
    Address, ByteRange, Content, Credentials, Error, Listed, Location, Metadata, ObjectStore, Presentation,
    Result, Spool, disk,
};
use crate::error::with_causes;

/// The longest wait for a connection, and for the next bytes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// How often, and how long, a request is tried again.
const MAX_RETRIES: usize = 2;
const RETRY_TIMEOUT: Duration = Duration::from_mins(1);

/// The most bytes of an object that is sent by one request; larger ones are sent in parts of this size.
const PART_BYTES: u64 = 8 * 1024 * 1024;

/// The most characters that are repeated of an error before the answer of the store.
const MAX_SAID: usize = 500;

/// A bucket, and the prefix below which its location lies.
pub(super) struct S3Store {
    client: AmazonS3,
    location: Location,
}

impl S3Store {
    /// Opens a bucket; nothing is sent. Without credentials requests are not signed.
    ///
    /// # Errors
    /// The address is no URL, or the credentials cannot stand in a request.
    pub(super) fn new(location: &Location, address: &Address, credentials: Option<&Credentials>) -> Result<Self> {
        // A certificate of the service is for one label before its name.
        let has_dots = address.scheme == "https" && address.bucket.contains('.');
        let path_style = address.path_style || has_dots;
        let host = if path_style {
            // A host that names the bucket already needs it in no other place.
            address.service.strip_prefix(&format!("{}.", address.bucket)).unwrap_or(&address.service).to_owned()
        } else {
            address.host()
        };
        let endpoint = format!("{}://{host}", address.scheme);
        // The client takes them as they are, and would panic when it sends its first request.
        if Url::parse(&endpoint).is_err() || endpoint.parse::<Uri>().is_err() {
            return Err(Error::BadLocation("its endpoint is no URL"));
        }
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_fit = |keys: &Credentials| {
            let token = keys.session_token.as_ref().is_none_or(|token| is_visible(token.expose()));
            token && is_visible(&keys.access_key_id)
        };
        if !credentials.is_none_or(is_fit) {
            return Err(Error::BadLocation("its access key or token has characters that no key has"));
        }
        let options = ClientOptions::new()
            .with_allow_http(address.scheme == "http")
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_read_timeout(READ_TIMEOUT)
            .with_timeout_disabled();
        let retry =
            RetryConfig { max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&address.bucket)
            .with_region(&address.region)
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(!path_style)
            .with_client_options(options)
            .with_retry(retry)
            // OSS and others do not take it as S3 does, and no more than one object is ever deleted at once.
            .with_disable_bulk_delete(true)
            .with_skip_signature(credentials.is_none());
        if let Some(Credentials { access_key_id, secret_access_key, session_token }) = credentials {
            builder = builder.with_access_key_id(access_key_id).with_secret_access_key(secret_access_key.expose());
            if let Some(token) = session_token {
                builder = builder.with_token(token.expose());
            }
        }
        let client = builder.build().map_err(remote("opening"))?;
        Ok(Self { client, location: location.clone() })
    }

    fn key(&self, path: &str) -> Result<Path> {
        Path::parse(self.location.key(path)).map_err(|_| Error::BadPath)
    }
}

/// Returns an element of the answer that an error repeats.
fn element<'a>(error: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = error.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}

fn remote(operation: &'static str) -> impl FnOnce(StoreError) -> Error {
    move |error| {
        let text = with_causes(&error);
        // The answer may repeat the request, and with it a token.
        let beginning: String = text.split('<').next().unwrap_or_default().chars().take(MAX_SAID).collect();
        let [code, message] = ["Code", "Message"].map(|name| element(&text, name).unwrap_or_default());
        Error::Remote { operation, message: format!("{beginning}{code} {message}").trim_end().to_owned() }
    }
}

/// Turns "no such key" into `None`; a missing bucket is an error.
fn found<T>(outcome: Result<T, StoreError>, operation: &'static str) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error @ StoreError::NotFound { .. }) => {
            let is_bucket = element(&error.to_string(), "Code") == Some("NoSuchBucket");
            if is_bucket { Err(remote(operation)(error)) } else { Ok(None) }
        }
        Err(error) => Err(remote(operation)(error)),
    }
}

/// Reads the next part of a file; an empty one is its end.
async fn next_part(file: &mut File) -> Result<PutPayload> {
    let mut part = Vec::new();
    let read = file.take(PART_BYTES).read_to_end(&mut part).await;
    read.map_err(disk("reading an upload"))?;
    Ok(part.into())
}

/// Sends a file in parts, one after the other.
async fn send(upload: &mut dyn MultipartUpload, file: &mut File) -> Result<()> {
    loop {
        let part = next_part(file).await?;
        if part.content_length() == 0 {
            return upload.complete().await.map(|_| ()).map_err(remote("storing"));
        }
        upload.put_part(part).await.map_err(remote("storing"))?;
    }
}

impl ObjectStore for S3Store {
    fn put<'a>(
        &'a self,
        path: &'a str,
        content: &'a Spool,
        presentation: Presentation,
    ) -> BoxFuture<'a, Result<()>> {
        async move {
            let mut attributes = Attributes::new();
            attributes.insert(Attribute::ContentType, presentation.content_type.into());
            if presentation.is_download {
                attributes.insert(Attribute::ContentDisposition, "attachment".into());
            }
            let key = self.key(path)?;
            let mut file = File::open(content.path()).await.map_err(disk("reading an upload"))?;
            if content.size() <= PART_BYTES {
                let options = PutOptions { attributes, ..PutOptions::default() };
                let put = self.client.put_opts(&key, next_part(&mut file).await?, options).await;
                return put.map(|_| ()).map_err(remote("storing"));
            }
            let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
            let mut upload = self.client.put_multipart_opts(&key, options).await.map_err(remote("storing"))?;
            let sent = send(&mut *upload, &mut file).await;
            if sent.is_err() {
                // The parts would be kept, and paid for; the error that counts is the first one.
                let _ = upload.abort().await;
            }
            sent
        }
        .boxed()
    }

    fn get<'a>(&'a self, path: &'a str, range: Option<ByteRange>) -> BoxFuture<'a, Result<Option<Content>>> {
        async move {
            let range = range.map(|ByteRange { first, last }| (first..last + 1).into());
            let options = GetOptions { range, ..GetOptions::default() };
            let object = found(self.client.get_opts(&self.key(path)?, options).await, "reading")?;
            Ok(object.map(|object| {
                object.into_stream().map_err(|error| io::Error::other(remote("reading")(error))).boxed()
            }))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move { found(self.client.delete(&self.key(path)?).await, "deleting").map(|_| ()) }.boxed()
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>>> {
        async move {
            let root = self.location.key("");
            let root = if root.is_empty() { root } else { format!("{root}/") };
            let options = PaginatedListOptions {
                offset: after.map(|after| format!("{root}{after}")),
                max_keys: Some(limit),
                ..PaginatedListOptions::default()
            };
            let listed = self.client.list_paginated(Some(&format!("{root}{prefix}")), options).await;
            let objects = listed.map_err(remote("listing"))?.result.objects.into_iter().filter_map(|object| {
                let path = object.location.as_ref().strip_prefix(&root)?.to_owned();
                Some(Listed { path, size: object.size })
            });
            Ok(objects.collect())
        }
        .boxed()
    }

    fn metadata<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Metadata>>> {
        async move {
            let options = GetOptions { head: true, ..GetOptions::default() };
            let object = found(self.client.get_opts(&self.key(path)?, options).await, "looking")?;
            Ok(object.map(|object| Metadata {
                size: object.meta.size,
                modified: object.meta.last_modified.timestamp_millis(),
                content_type: object.attributes.get(&Attribute::ContentType).map(|name| name.as_ref().to_owned()),
            }))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use testing::{Answering, Asked, Provider};

    use super::*;
    use crate::ids::SystemRandom;

    fn store(provider: &Provider) -> S3Store {
        let location = Location {
            storage: super::super::StorageType::S3,
            bucket: Some("b".to_owned()),
            prefix: Some("p".to_owned()),
            endpoint: Some(provider.url()),
            region: Some("eu-central-1".to_owned()),
            is_public: Some(false),
        };
        let credentials = Credentials {
            access_key_id: "id".to_owned(),
            secret_access_key: "secret".to_owned().into(),
            session_token: Some("token".to_owned().into()),
        };
        S3Store::new(&location, &location.address(Some(true)).unwrap(), Some(&credentials)).unwrap()
    }

    async fn spool(size: usize) -> Spool {
        let mut spool = Spool::create(&std::env::temp_dir(), &SystemRandom).await.unwrap();
        spool.write(&vec![b'x'; size]).await.unwrap();
        spool.finish().await.unwrap();
        spool
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_refused_before_it_is_sent() {
        let provider = Provider::always(Answering::text(""));
        let S3Store { location, .. } = store(&provider);
        let refused = |endpoint: &str, id: &str| {
            let location = Location { endpoint: Some(endpoint.to_owned()), ..location.clone() };
            let keys = Credentials {
                access_key_id: id.to_owned(),
                secret_access_key: "s".to_owned().into(),
                session_token: None,
            };
            S3Store::new(&location, &location.address(Some(true)).unwrap(), Some(&keys)).err()
        };
        assert!(refused("https://s3.example.com", "AKIA").is_none());
        for (endpoint, id) in
            [("https://存储.example", "AKIA"), ("https://a b", "AKIA"), ("https://s3.example.com", "钥\n")]
        {
            assert!(matches!(refused(endpoint, id), Some(Error::BadLocation(_))), "{endpoint} {id}");
        }
    }

    const IMAGE: Presentation = Presentation { content_type: "image/png", is_download: false };

    #[tokio::test]
    async fn a_refusal_says_its_code_and_nothing_of_the_request() {
        let answer = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>\
            <CanonicalRequest>x-amz-security-token:token</CanonicalRequest></Error>";
        let provider = Provider::always(Answering::text(answer).status(403));
        let refused = store(&provider).put("a", &spool(1).await, IMAGE).await.unwrap_err().to_string();
        assert!(refused.contains("403") && refused.ends_with("SignatureDoesNotMatch no"), "{refused}");
        assert!(!format!("{refused:?}").contains("token"), "{refused}");
        assert_eq!(provider.asked().len(), 1);
    }

    #[tokio::test]
    async fn a_missing_object_is_none_and_a_missing_bucket_an_error() {
        for (code, is_error) in [("NoSuchKey", false), ("NoSuchBucket", true)] {
            let answer = Answering::text(format!("<Error><Code>{code}</Code></Error>")).status(404);
            let provider = Provider::always(answer);
            let store = store(&provider);
            assert_eq!(store.get("a", None).await.map(|content| content.is_some()).is_err(), is_error, "{code}");
            assert_eq!(store.delete("a").await.is_err(), is_error, "{code}");
        }
    }

    /// Takes parts, but the second of them never.
    fn half(asked: &Asked) -> Answering {
        match asked.line.as_str() {
            line if line.contains("?uploads") => Answering::text(
                "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
            ),
            line if line.contains("partNumber=2") => Answering::text("<Error/>").status(403),
            _ => Answering::text("").header("etag", "e"),
        }
    }

    #[tokio::test]
    async fn parts_of_an_upload_that_fails_are_removed() {
        let provider = Provider::start(|asked, _| half(asked));
        let size = usize::try_from(PART_BYTES).unwrap() + 1;
        store(&provider).put("a", &spool(size).await, IMAGE).await.unwrap_err();
        let asked = provider.asked();
        assert!(asked[0].raw.to_lowercase().contains("content-type: image/png"));
        let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
        assert_eq!(
            lines,
            [
                "POST /b/p/a?uploads=",
                "PUT /b/p/a?partNumber=1&uploadId=u1",
                "PUT /b/p/a?partNumber=2&uploadId=u1",
                "DELETE /b/p/a?uploadId=u1"
            ]
        );
    }
}
