//! Dashboard and browser phone, built into the binary.
//!
//! Plain files without a build step; they load nothing from elsewhere, which
//! the content security policy holds them to.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "src/admin/ui/"]
struct Files;

/// Scripts, styles and connections to ourselves only, and no framing.
pub(super) const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; style-src 'self'; \
                      img-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// The file behind a path of the site, or 404.
pub fn serve(path: &str, headers: &HeaderMap) -> Response<Body> {
    let name = match path.trim_start_matches('/') {
        "" => "dashboard/index.html",
        "phone/" => "phone/index.html",
        other => other,
    };
    if name == "phone" {
        return redirect("/phone/");
    }
    let Some(file) = Files::get(name).filter(|_| !name.contains("..")) else {
        return plain(StatusCode::NOT_FOUND, "not found\n");
    };
    let hash = file.metadata.sha256_hash();
    let tag: String = std::iter::once('"')
        .chain(
            hash[..12].iter().flat_map(|b| [b >> 4, b & 15]).map(|n| char::from(b"0123456789abcdef"[usize::from(n)])),
        )
        .chain(std::iter::once('"'))
        .collect();
    let unchanged = headers.get(header::IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let body = if unchanged { Body::empty() } else { Body::from(file.data.into_owned()) };
    let mut response = Response::new(body);
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    if name.starts_with("phone/") {
        out.insert("permissions-policy", HeaderValue::from_static("microphone=(self)"));
    }
    response
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        _ => "text/plain; charset=utf-8",
    }
}

fn redirect(to: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::PERMANENT_REDIRECT, "");
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    response
}

/// A short text.
pub fn plain(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
