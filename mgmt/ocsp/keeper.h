// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "l7/tls/staples.h"
#include "mgmt/engine/engine.h"
#include "mgmt/ocsp/fetcher.h"
#include "mgmt/ocsp/response.h"
#include "mgmt/ocsp/response_files.h"
#include "mgmt/ocsp/status.h"

namespace sluice::mgmt::ocsp {

/// Something that people should know.
struct Notice {
  enum class Level : std::uint8_t { kInfo, kWarning, kError } level = Level::kInfo;
  std::string event;  ///< "ocsp_failing", "certificate_revoked"...; empty: for the log only.
  std::string certificate, message;
};

/// Sees to it that each certificate that a listener presents has a fresh OCSP response to staple: asks, verifies, keeps,
/// publishes, and asks again. One thread of its own, so that no change of the configuration waits for a responder; status(),
/// all() and totals() from any thread.
class Keeper {
 public:
  struct Options {
    bool stapling = true;
    std::string folder;                   ///< Of the responses.
    std::string responder;                ///< URL that is asked in place of those that certificates name; empty: these.
    std::function<double()> random;       ///< 0 to 1, for spreading.
  };
  using Tell = std::function<void(const Notice&)>;

  /// All of them outlive it.
  Keeper(Options options, Engine& engine, Fetcher& fetcher, Tell tell);
  ~Keeper() { stop(); }

  /// What files have is published, without asking anybody. `now` is Unix seconds, everywhere.
  void restore(std::int64_t now);
  void start();
  void stop();

  /// What the thread does over and over: at most one request. True: another one is due.
  bool step(std::int64_t now);

  /// None: there is no such certificate (yet).
  std::optional<CertificateOcsp> status(const std::string& certificate) const;
  std::vector<std::pair<std::string, CertificateOcsp>> all() const;
  Totals totals() const;

 private:
  struct Entry {
    std::shared_ptr<const l7::tls::Certificate> certificate;
    Facts facts;
    OcspState idle = OcspState::kMissing;        ///< Why nothing is asked; kMissing: it is.
    std::optional<Response> response;            ///< Valid, until expire() takes it away.
    std::shared_ptr<const l7::tls::Staple> staple;
    std::int64_t next_request = 0;
    unsigned failures = 0;                       ///< In a row.
    std::optional<Problem> problem;              ///< The last of these.
    bool told_revoked = false, told_missing = false;

    bool wanted() const { return idle == OcspState::kMissing; }
  };
  /// All certificates that name a responder which is down wait for it together.
  struct Responder {
    unsigned failures = 0;
    std::int64_t not_before = 0;
  };
  struct Question {
    std::string id, url;
    std::shared_ptr<const l7::tls::Certificate> certificate;
  };

  void loop();
  // Under mutex_.
  void follow(std::int64_t now);
  Entry make_entry(const RunningCertificate& running, std::int64_t now);
  OcspState idle_state(const RunningCertificate& running, const Facts& facts) const;
  void expire(std::int64_t now);
  std::optional<Question> next_question(std::int64_t now) const;
  void take(const Question& asked, Answer answer, std::int64_t now);
  void accept(const std::string& id, Entry& e, Response response, std::int64_t now);
  void fail(const std::string& id, Entry& e, Problem problem, std::int64_t now);
  void adopt(Entry& e, Response response);
  void tell_revoked(const std::string& id, Entry& e);
  void tell_missing(const std::string& id, Entry& e);
  const std::string& url_of(const Entry& e) const { return options_.responder.empty() ? e.facts.url : options_.responder; }
  CertificateOcsp describe(const Entry& e) const;
  void note(Notice::Level level, std::string event, const std::string& certificate, std::string message);
  // Without it.
  void publish();
  void tell_all();

  const Options options_;
  Engine& engine_;
  Fetcher& fetcher_;
  const Tell tell_;
  const ResponseFiles files_;

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  ///< By the certificate's id.
  std::map<std::string, Responder> responders_;  ///< By URL.
  std::optional<std::uint64_t> followed_;        ///< Revision.
  std::vector<Notice> notices_;                  ///< To be told.
  bool changed_ = false;                         ///< A staple came or went since publish().
  Totals totals_;

  std::int64_t published_at_ = 0;
  std::vector<std::shared_ptr<const l7::tls::Staple>> published_;

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sluice::mgmt::ocsp
