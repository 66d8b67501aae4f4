// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/clock.h"
#include "dataplane/base/result.h"

namespace sluice::pktgen {

/// TLS as the clients ask for it, and what must come of it.
struct TlsShape {
  bool on = false;
  std::string version = "1.3";  ///< The only one offered: "1.2", "1.3".
  std::string suite;            ///< OpenSSL's name, the only one offered; empty: its default list.
  std::string group;            ///< The only one offered ("X25519"); empty: OpenSSL's default list.
  std::string key;              ///< The certificate's must be this: "ecdsa", "rsa"; empty: any.
  bool resume = false;          ///< Every handshake but the first resumes.
};

/// What our end of the wire does to packets to and from the target, in millionths.
struct Impairment {
  std::uint32_t loss_ppm = 0, duplicate_ppm = 0, reorder_ppm = 0;
  std::uint32_t reorder_by = 3;  ///< So many packets overtake.
  std::uint32_t seed = 1;
  bool any() const { return loss_ppm + duplicate_ppm + reorder_ppm > 0; }
};

/// A load, as a file of `shapes/` describes it.
struct Shape {
  enum class Kind : std::uint8_t {
    kHttp,     ///< An operation is a request and its answer.
    kConnect,  ///< An operation is a connection: TCP and, where wanted, TLS handshake; then closed.
    kIdle,     ///< Connections are opened, held, and asked at the end whether they live.
  };

  std::string name;  ///< The file's.
  std::string description;
  Kind kind = Kind::kHttp;
  std::uint32_t connections = 64;
  std::uint32_t client_addresses = 1;  ///< 1: the port's own.
  std::uint64_t rate = 0;              ///< Operations a second, on schedule; 0: closed loop.
  bool keep_alive = true;  ///< False: each request on a connection of its own, which the server closes.
  std::uint32_t request_body = 0, response_body = 1024;
  std::string host = "pktgen.test", path = "/pktgen";
  Duration think = Duration::zero();           ///< Pause of a connection after an answer.
  Duration timeout = std::chrono::seconds(5);  ///< Of a handshake, and of an answer.
  std::uint64_t read_rate = 0;                 ///< Bytes a second that a client reads; 0: as they come.
  TlsShape tls;
  Impairment impair;

  std::string_view unit() const;  ///< "requests", "connections", "handshakes"
  /// Whether an operation opens its own connection.
  bool connection_each() const { return kind == Kind::kConnect || (kind == Kind::kHttp && !keep_alive); }
};

/// Reads a shape strictly; the error has a line for each fault, as sluice.conf's have.
Result<Shape> load_shape(const std::string& path);
Result<Shape> parse_shape(const std::string& text, const std::string& name);

/// The folder of the shapes that come with the program: beside the source tree's scripts.
std::vector<std::filesystem::path> list_shapes(const std::filesystem::path& folder);
/// A file, or the name of one in `folder` without its ending.
Result<std::string> find_shape(const std::string& wanted, const std::filesystem::path& folder);

}  // namespace sluice::pktgen
