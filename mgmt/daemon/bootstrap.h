// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/worker/runtime.h"
#include "l4/tcp/stack.h"
#include "l7/tls/crypto_engine.h"

namespace sluice::mgmt::daemon {

/// What sluice.conf says (docs/sluice.conf.md has every line). It is read once, at the start: all that may
/// change while the appliance runs is in the REST API.
struct Bootstrap {
  enum class HugePages : std::uint8_t { kNo, kYes, kAuto };
  enum class LogFormat : std::uint8_t { kText, kJson };

  struct Management {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8443;
    bool tls = true;
    std::string certificate, private_key;  ///< PEM files; empty: generated into the data folder.
    std::string token_file;                ///< Empty: <data_folder>/admin.token, generated.
    bool metrics_auth = true;              ///< /metrics asks for a token, too.
  };
  struct Log {
    std::string level = "info";  ///< trace, debug, info, warning, error
    LogFormat format = LogFormat::kText;
    std::string file = "-";        ///< "-": standard error
    std::string access_log = "-";  ///< "-": standard output; "": none
  };
  struct Ocsp {
    bool stapling = true;
    std::string responder;  ///< URL; empty: what certificates name.
    std::string proxy;      ///< URL; empty: none.
  };

  RuntimeConfig runtime;  ///< huge_pages is set from `huge_pages` by choose_huge_pages().
  HugePages huge_pages = HugePages::kAuto;
  l4::tcp::Config tcp;  ///< `secret` is drawn at the start.
  l7::tls::CryptoEngineConfig tls_engine;
  std::string data_folder = "/var/lib/sluice";
  bool core_dumps = false;
  Management management;
  Ocsp ocsp;
  Log log;
};

/// One thing that is wrong with the file.
struct BootstrapError {
  std::string file;
  unsigned line = 0;    ///< 0: the file as a whole.
  std::string field;    ///< "ports[0].mtu"; empty for errors of syntax.
  std::string message;  ///< "expected a whole number from 576 to 9216, not 70000"
  /// "sluice.conf:12: ports[0].mtu: expected ..."
  std::string to_string() const;
};

struct BootstrapResult {
  Bootstrap value;  ///< Whole only when ok().
  std::vector<BootstrapError> errors;
  bool ok() const { return errors.empty(); }
};

BootstrapResult load_bootstrap(const std::string& path);
/// The same from memory; `name` stands for the file in errors.
BootstrapResult parse_bootstrap(const std::string& text, const std::string& name);

/// kAuto: whether the kernel has enough free huge pages for memory_mb. `meminfo` is the text of
/// /proc/meminfo.
bool choose_huge_pages(Bootstrap::HugePages wish, unsigned memory_mb, const std::string& meminfo);

}  // namespace sluice::mgmt::daemon
