// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dataplane/base/ids.h"
#include "dataplane/base/ip.h"
#include "dataplane/base/clock.h"
#include "dataplane/net/addresses.h"
#include "l7/http1/parser.h"
#include "l7/limits/meter_table.h"
#include "l7/limits/source_rates.h"
#include "l7/route/router.h"
#include "l7/source_filter.h"
#include "l7/tls/backend_context.h"
#include "l7/tls/server_context.h"
#include "l7/tls/staples.h"
#include "l7/tls/ticket_keys.h"

/// What management publishes and workers read: values that never change once published. Unchanged parts are shared
/// between successive snapshots (the shared_ptrs below), so that publishing costs what changed. Workers copy what a
/// request needs for longer than one loop (slots, durations); the shared_ptr counts are touched by workers only where
/// said, never a packet.
namespace sluice::l7 {

enum class Scheduler : std::uint8_t { kWeightedRoundRobin, kLeastConnections };

struct Member {
  std::string id;
  Endpoint address;
  std::uint16_t weight = 100;  ///< 0: gets no new requests (drain).
  BackendSlot slot;            ///< Runtime state (health, load), kept over rule updates.
  std::uint64_t mark = 0;      ///< Names it in cookies: the same on every appliance and after every restart; when sticky.
};

/// Whether and how a client is led back to the member that served it before.
struct Stickiness {
  enum class Kind : std::uint8_t {
    kNone,
    kInsert,   ///< By a cookie of our own.
    kRewrite,  ///< By a mark that we put before the value of the backend's cookie, and take away from requests.
  };
  Kind kind = Kind::kNone;
  std::string cookie;           ///< At most 64 bytes.
  std::uint32_t max_age_s = 0;  ///< kInsert; 0: until the browser ends.
};

struct HealthCheck {
  enum class Kind : std::uint8_t { kNone, kTcp, kHttp } kind = Kind::kNone;
  Duration interval = std::chrono::seconds(2);
  Duration timeout = std::chrono::seconds(5);
  std::uint32_t healthy_threshold = 3;    ///< Successes in a row to come back.
  std::uint32_t unhealthy_threshold = 3;  ///< Failures in a row to go.
  std::uint16_t port = 0;                 ///< 0: the member's.
  std::string method = "HEAD", path = "/", host;  ///< kHttp. Empty host: the member's address.
  std::vector<std::pair<std::uint16_t, std::uint16_t>> statuses = {{200, 399}};  ///< Inclusive ranges that are healthy.
  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

struct ServerGroup {
  std::string id;
  GroupSlot slot;
  Scheduler scheduler = Scheduler::kWeightedRoundRobin;
  std::vector<Member> members;
  Stickiness stickiness;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> by_mark;  ///< Members by mark, ascending; when sticky.
  std::shared_ptr<const tls::BackendTls> tls;           ///< Null: plain TCP. Counted by each connection.
  HealthCheck health_check;                             ///< kHttp: over `tls`, too.
  Duration connect_timeout = std::chrono::seconds(5);   ///< Of TCP and TLS together.
  Duration request_timeout = std::chrono::seconds(60);  ///< To the response head, and between reads of the body: 504.
  Duration keep_alive = std::chrono::seconds(60);       ///< Idle upstream connections.
  std::uint32_t max_idle_per_worker = 320;
  std::uint32_t connect_attempts = 3;                   ///< Members tried before 502.
};

enum class ListenerProtocol : std::uint8_t {
  kHttp,
  kHttps,
  kTlsPassthrough,  ///< TLS that is not ours: a rule is chosen by the server name, and bytes are passed on.
};

/// The fields that tell a backend about the client, as bits.
enum ForwardedField : std::uint8_t {
  kForwardFor = 1,
  kForwardProto = 2,
  kForwardHost = 4,
  kForwardPort = 8,
  kForwardRealIp = 16,
  kForwardClientPort = 32,
};
inline constexpr std::uint8_t kForwardDefault =
    kForwardFor | kForwardProto | kForwardHost | kForwardPort | kForwardRealIp;

/// What is counted of something, and how far it may go.
struct Metered {
  MeterSlot slot;
  limits::Limits limits;
  friend bool operator==(const Metered&, const Metered&) = default;
};

struct Listener {
  std::string id;
  std::uint16_t port = 0;
  ListenerProtocol protocol = ListenerProtocol::kHttp;
  std::shared_ptr<const tls::ServerContext> tls;     ///< kHttps. Counted by each connection.
  std::shared_ptr<const SourceFilter> sources;       ///< Null: everybody may connect.
  Metered own;                                       ///< All connections of this listener,
  Metered balancer;                                  ///< and those of all listeners of its load balancer.
  std::shared_ptr<limits::SourceRates> source_rates; ///< With own.limits.connections_per_second_per_source.
  std::shared_ptr<const route::Router> router;
  std::shared_ptr<const Action> default_action;      ///< No rule matches; null: 404.
  http1::Limits limits;
  std::uint64_t max_body = 0;                        ///< Bytes of a request body, 0: no limit. Above: 413.
  Duration header_timeout = std::chrono::seconds(60);  ///< First byte of a request to the end of its head: 408.
  Duration body_timeout = std::chrono::seconds(60);    ///< Between two reads of a request body: 408.
  Duration idle_timeout = std::chrono::seconds(15);    ///< Kept-alive connection without a request.
  Duration tunnel_timeout = std::chrono::seconds(3600);  ///< Upgraded connection without a byte.
  std::string strict_transport_security;               ///< For all answers (RFC 6797), at most 64 bytes; empty: none.
  bool trust_forwarded = false;                        ///< Keep incoming X-Forwarded-*; otherwise replaced.
  std::uint8_t forwarded_fields = kForwardDefault;     ///< Of ForwardedField. What is not in it is not sent at all.
  std::uint32_t max_requests_per_connection = 10000;
  bool access_log = true;
};

/// Hash for Endpoint keys on the control path and in the accept path.
struct EndpointHash {
  std::size_t operator()(const Endpoint& e) const { return hash_value(e, 0x9e3779b97f4a7c15ull); }
};

struct Snapshot {
  std::uint64_t revision = 0;
  net::VipSet vips;
  std::unordered_map<Endpoint, std::shared_ptr<const Listener>, EndpointHash> listeners;
  std::vector<std::shared_ptr<const ServerGroup>> groups;  ///< By GroupSlot; null: free slot.
  std::shared_ptr<const tls::TicketKeys> ticket_keys;      ///< Of all listeners. Null: no session tickets.
  std::shared_ptr<const tls::Staples> staples;             ///< Of all certificates. Null: none.

  const ServerGroup* group(GroupSlot s) const {
    return s.value < groups.size() ? groups[s.value].get() : nullptr;
  }
};

}  // namespace sluice::l7
