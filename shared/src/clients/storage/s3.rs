//! A bucket of S3, of a service that speaks its protocol, or of OSS through its S3 interface.

use std::{io, time::Duration};

use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, Credentials as Keys, Region, RequestChecksumCalculation, ResponseChecksumValidation,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    primitives::{ByteStream, Length},
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};

use super::{
    Address, ByteRange, Content, Credentials, Error, Listed, Location, Metadata, ObjectStore, Presentation,
    Result, Spool,
};

/// The longest wait for a connection, and for the next bytes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// A bucket, and the prefix below which its location lies.
pub(super) struct S3Store {
    client: Client,
    bucket: String,
    location: Location,
}

impl S3Store {
    /// Opens a bucket; nothing is sent. Without credentials requests are not signed.
    pub(super) fn new(location: &Location, address: &Address, credentials: Option<&Credentials>) -> Self {
        // A host that names the bucket already needs it in no other place.
        let service = address.service.strip_prefix(&format!("{}.", address.bucket)).unwrap_or(&address.service);
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
        let mut config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(address.region.clone()))
            .endpoint_url(format!("{}://{service}", address.scheme))
            .force_path_style(address.path_style)
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts.build())
            // OSS and others do not know the checksums that the SDK would add by itself.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        config = match credentials {
            Some(Credentials { access_key_id, secret_access_key, session_token }) => {
                let token = session_token.as_ref().map(|token| token.expose().to_owned());
                let secret = secret_access_key.expose();
                config.credentials_provider(Keys::new(access_key_id, secret, token, None, "settings"))
            }
            None => config.allow_no_auth(),
        };
        Self {
            client: Client::from_conf(config.build()),
            bucket: address.bucket.clone(),
            location: location.clone(),
        }
    }
}

fn remote<E, R>(operation: &'static str) -> impl FnOnce(SdkError<E, R>) -> Error
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    move |error| Error::Remote { operation, message: DisplayErrorContext(&error).to_string() }
}

/// Turns "no such key" into `None`; a missing bucket is an error.
fn found<T, E>(outcome: Result<T, SdkError<E>>, operation: &'static str) -> Result<Option<T>>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            let is_404 = error.raw_response().is_some_and(|response| response.status().as_u16() == 404);
            if is_404 && error.code() != Some("NoSuchBucket") { Ok(None) } else { Err(remote(operation)(error)) }
        }
    }
}

fn streamed(body: ByteStream) -> Content {
    stream::try_unfold(body, |mut body| async move {
        let chunk = body.try_next().await.map_err(io::Error::other)?;
        Ok(chunk.map(|chunk| (chunk, body)))
    })
    .boxed()
}

impl ObjectStore for S3Store {
    fn put<'a>(
        &'a self,
        path: &'a str,
        content: &'a Spool,
        presentation: Presentation,
    ) -> BoxFuture<'a, Result<()>> {
        async move {
            let body = ByteStream::read_from().path(content.path()).length(Length::Exact(content.size()));
            let body = body.build().await.map_err(|error| Error::Disk {
                operation: "reading an upload",
                source: io::Error::other(error),
            })?;
            let put = self.client.put_object().bucket(&self.bucket).key(self.location.key(path)).body(body);
            let put = put.content_type(presentation.content_type);
            let put = if presentation.is_download { put.content_disposition("attachment") } else { put };
            put.send().await.map(|_| ()).map_err(remote("storing"))
        }
        .boxed()
    }

    fn get<'a>(&'a self, path: &'a str, range: Option<ByteRange>) -> BoxFuture<'a, Result<Option<Content>>> {
        async move {
            let range = range.map(|ByteRange { first, last }| format!("bytes={first}-{last}"));
            let get = self.client.get_object().bucket(&self.bucket).key(self.location.key(path)).set_range(range);
            Ok(found(get.send().await, "reading")?.map(|object| streamed(object.body)))
        }
        .boxed()
    }

    fn delete<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        async move {
            let delete = self.client.delete_object().bucket(&self.bucket).key(self.location.key(path));
            found(delete.send().await, "deleting").map(|_| ())
        }
        .boxed()
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
            let list = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(format!("{root}{prefix}"))
                .set_start_after(after.map(|after| format!("{root}{after}")))
                .max_keys(i32::try_from(limit).unwrap_or(i32::MAX));
            let listed = list.send().await.map_err(remote("listing"))?;
            let objects = listed.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let path = object.key?.strip_prefix(&root)?.to_owned();
                Some(Listed { path, size: size_of(object.size) })
            });
            Ok(objects.collect())
        }
        .boxed()
    }

    fn metadata<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Metadata>>> {
        async move {
            let head = self.client.head_object().bucket(&self.bucket).key(self.location.key(path));
            Ok(found(head.send().await, "looking")?.map(|object| Metadata {
                size: size_of(object.content_length),
                modified: object.last_modified.and_then(|time| time.to_millis().ok()).unwrap_or_default(),
                content_type: object.content_type,
            }))
        }
        .boxed()
    }
}

fn size_of(length: Option<i64>) -> u64 {
    length.and_then(|length| length.try_into().ok()).unwrap_or_default()
}
