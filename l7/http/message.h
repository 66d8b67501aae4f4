// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace sluice::l7::http {

/// One message shape for every HTTP version (RFC 9110). Views point into memory of whoever made the message
/// (for HTTP/1, the HeadStorage), and are valid as long as that is.

enum class Method : std::uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kDelete,
  kConnect,
  kOptions,
  kTrace,
  kPatch,
  kOther
};
enum class Version : std::uint8_t { kHttp10, kHttp11, kHttp2 };

/// The fields that framing and the proxy decide about. All others pass unread.
enum class FieldName : std::uint8_t {
  kOther,
  kConnection,
  kContentLength,
  kCookie,
  kEarlyData,
  kExpect,
  kForwarded,
  kHost,
  kHttp2Settings,
  kKeepAlive,
  kProxyConnection,
  kSslClient,  ///< Any name that begins with "ssl-client-": what a proxy says of a client's certificate.
  kStrictTransportSecurity,
  kTe,
  kTransferEncoding,
  kUpgrade,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPort,
  kXForwardedProto,
  kXRealIp,
  kXRequestId,
};
FieldName field_name(std::string_view name);

/// Whether a backend may take the name for one of ours that tell of a client's certificate. '_' counts as '-': many
/// backends see both as '_' (RFC 3875, 4.1.18).
bool is_ssl_client_name(std::string_view name);

struct Field {
  std::string_view name;             ///< As received.
  std::string_view value;            ///< Without surrounding white space.
  FieldName id = FieldName::kOther;  ///< Of `name`, looked up once, by FieldList::add.
};

/// Without the optional white space around it (RFC 9110, 5.6.3).
std::string_view trim(std::string_view text);

/// ASCII case-insensitive.
bool equals_ignore_case(std::string_view a, std::string_view b);

/// Whether the comma-separated list `value` (RFC 9110, 5.6.1) has the token, in any case.
bool list_has_token(std::string_view value, std::string_view token);

class FieldList {
 public:
  static constexpr std::size_t kMax = 128;
  bool add(Field f) {
    if (count_ == kMax) return false;
    f.id = field_name(f.name);
    present_ |= 1u << static_cast<unsigned>(f.id);
    fields_[count_++] = f;
    return true;
  }
  void clear() { count_ = present_ = 0; }
  bool has(FieldName id) const { return (present_ >> static_cast<unsigned>(id) & 1) != 0; }
  std::size_t size() const { return count_; }
  const Field* begin() const { return fields_.data(); }
  const Field* end() const { return fields_.data() + count_; }
  Field& operator[](std::size_t i) { return fields_[i]; }
  /// First field of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  std::optional<std::string_view> find(FieldName id) const;

 private:
  std::array<Field, kMax> fields_{};
  std::uint32_t count_ = 0;
  std::uint32_t present_ = 0;  // a bit a FieldName
};

/// How the body is delimited (RFC 9112, 6.3).
struct Framing {
  enum class Kind : std::uint8_t { kNone, kLength, kChunked, kUntilClose, kTunnel };
  Kind kind = Kind::kNone;
  std::uint64_t length = 0;  ///< kLength only, > 0.
};

struct RequestHead {
  Method method = Method::kGet;
  std::string_view method_text;
  std::string_view target;  ///< As on the request line.
  std::string_view path;   ///< Of origin-form, or of the absolute-form's URI; "*" for OPTIONS *. As received.
  std::string_view query;  ///< Without '?'.
  std::string_view authority;  ///< Host: header, or authority of absolute-form. May carry a port.
  std::string_view host;       ///< authority without port and trailing dot, as received (not lower-cased).
  Version version = Version::kHttp11;
  FieldList fields;
  Framing framing;
  bool keep_alive = true;  ///< The client's wish (RFC 9112, 9.3).
  bool expect_continue = false;
  bool upgrade = false;  ///< Connection: upgrade with an Upgrade field.
};

struct ResponseHead {
  std::uint16_t status = 0;
  std::string_view reason;
  Version version = Version::kHttp11;
  FieldList fields;
  Framing framing;
  bool keep_alive = true;  ///< The connection may be used again after this message.
};

/// Field that concern one connection only and must not be passed on (RFC 9110, 7.6.1): Connection, what it
/// names, Keep-Alive, Proxy-Connection, TE, Transfer-Encoding, Upgrade. `connection_values` are the values of
/// all Connection fields.
bool is_hop_by_hop(const Field& field, std::span<const std::string_view> connection_values);

}  // namespace sluice::l7::http
