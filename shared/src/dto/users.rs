//! Users (`contract/auth-user.md`).

use schemars::JsonSchema;
use serde::Serialize;

use super::{Fields, Patch};
use crate::{Error, Result, ids::Uid};

/// A user as registration and sign-in show them.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct User {
    /// The id.
    pub uid: Uid,
    /// The e-mail address, as it was registered.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub email: Option<String>,
    /// The name that is shown.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub nickname: Option<String>,
}

/// A user as the settings page shows them.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct UserInfo {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// The access URL of the picture; empty when there is none.
    pub avatar: String,
}

/// The author of a public memo.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize)]
pub struct Author {
    /// The id.
    pub uid: Uid,
    /// The name that is shown.
    #[serde(skip_serializing_if = "super::is_unset")]
    pub nickname: Option<String>,
    /// The access URL of the picture; empty when there is none.
    pub avatar: String,
}

/// E-mail and password, as both registration and sign-in take them.
#[derive(Debug, Clone, JsonSchema)]
pub struct Credentials {
    /// The e-mail address, without surrounding white space.
    pub email: String,
    /// The password in clear text.
    pub password: String,
}

impl TryFrom<&Fields> for Credentials {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let email = fields.text("email")?.unwrap_or_default().trim().to_owned();
        let password = fields.text("password")?.unwrap_or_default();
        if email.is_empty() || password.is_empty() {
            return Err(Error::params("Email and password are required"));
        }
        // The column holds 255 characters.
        if email.chars().count() > 255 {
            return Err(Error::bad_params());
        }
        Ok(Self { email, password })
    }
}

/// The body of a registration.
#[derive(Debug, Clone, JsonSchema)]
pub struct Registration {
    /// E-mail and password.
    #[schemars(flatten)]
    pub credentials: Credentials,
    /// The name that is shown.
    pub nickname: Option<String>,
    /// The telephone number, stored as it is.
    pub phone: Option<String>,
}

impl TryFrom<&Fields> for Registration {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let credentials = Credentials::try_from(fields)?;
        let nickname = fields.short_text("nickname")?.map(|name| name.trim().to_owned());
        Ok(Self {
            nickname: nickname.filter(|name| !name.is_empty() && *name != credentials.email),
            phone: fields.short_text("phone")?,
            credentials,
        })
    }
}

/// The body of an update of the own user.
#[derive(Debug, Clone, JsonSchema)]
pub struct UserUpdate {
    /// The name that is shown.
    pub nickname: Patch<String>,
    /// A URL or the storage key of the picture.
    pub avatar: Patch<String>,
}

impl TryFrom<&Fields> for UserUpdate {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        Ok(Self { nickname: fields.patch_text("nickname")?, avatar: fields.patch_text("avatar")? })
    }
}

/// The body of a change of password.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct PasswordChange {
    /// The password until now.
    pub old_password: String,
    /// The password from now on.
    pub new_password: String,
}

impl TryFrom<&Fields> for PasswordChange {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let old_password = fields.text("oldPassword")?.unwrap_or_default();
        let new_password = fields.text("newPassword")?.unwrap_or_default();
        if old_password.is_empty() || new_password.is_empty() {
            return Err(Error::params("请填写完整信息"));
        }
        // Contract: UTF-16 units (contract/auth-user.md, route 5).
        if new_password.encode_utf16().count() < 6 {
            return Err(Error::params("新密码长度至少6位"));
        }
        Ok(Self { old_password, new_password })
    }
}
