// SPDX-License-Identifier: Apache-2.0
// What many certificates cost: reading one, memory each, and finding one by name: meson test --benchmark certificates
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <openssl/pem.h>

#include <random>
#include <string>
#include <vector>

#include "l7/tls/certificate_handles.h"
#include "l7/tls/certificate_table.h"
#include "l7/tls/server_context.h"

namespace sluice::l7::tls {
namespace {

struct Pem {
  std::string chain, key;
};

X509Ptr sign(const std::string& name, const std::string& issuer, EVP_PKEY* key, EVP_PKEY* issuer_key) {
  X509Ptr x(X509_new());
  X509_set_version(x.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(x.get()), 90L * 86400);
  const auto set = [](X509_NAME* to, const std::string& cn) {
    X509_NAME_add_entry_by_txt(to, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(cn.c_str()), -1, -1, 0);
  };
  set(X509_get_subject_name(x.get()), name);
  set(X509_get_issuer_name(x.get()), issuer);
  X509_set_pubkey(x.get(), key);
  const std::string names = "DNS:" + name + ",DNS:www." + name;
  std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>> e(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str()));
  X509_add_ext(x.get(), e.get(), -1);
  X509_sign(x.get(), issuer_key, EVP_sha256());
  return x;
}

std::string host(std::int64_t i) { return "shop-" + std::to_string(i) + ".tenant.example"; }

/// As a public CA gives them: the leaf with two names, and one intermediate. All have the same key, which costs the
/// memory of its own all the same, because each is read from its own text.
std::vector<Pem> make(std::int64_t n, bool rsa) {
  static const PkeyPtr ca(EVP_RSA_gen(2048));
  static const X509Ptr ca_certificate = sign("intermediate.example", "root.example", ca.get(), ca.get());
  const PkeyPtr key(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
  BioPtr key_pem(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(key_pem.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::vector<Pem> out;
  for (std::int64_t i = 0; i < n; ++i) {
    BioPtr chain(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(chain.get(), sign(host(i), "intermediate.example", key.get(), ca.get()).get());
    PEM_write_bio_X509(chain.get(), ca_certificate.get());
    out.push_back({std::string(text_of(chain.get())), std::string(text_of(key_pem.get()))});
  }
  return out;
}

std::vector<OfferedCertificate> load(const std::vector<Pem>& pems) {
  std::vector<OfferedCertificate> out;
  for (const Pem& p : pems) {
    auto r = Certificate::parse(p.chain, p.key);
    if (r) out.emplace_back(std::move(r).value());
  }
  return out;
}

double heap() {
  const struct mallinfo2 m = mallinfo2();
  return static_cast<double>(m.uordblks + m.hblkhd);
}

/// Text to certificates and the contexts of one worker, and the heap that they hold. The text is another's.
void loading(benchmark::State& state, bool rsa) {
  const auto pems = make(state.range(0), rsa);
  const auto n = static_cast<double>(state.range(0));
  double certificates = 0, context = 0;
  for (auto _ : state) {
    const double before = heap();
    ServerConfig config;
    config.certificates = load(pems);
    certificates = (heap() - before) / n;
    const double between = heap();
    const auto made = ServerContext::create(config, 1);
    context = (heap() - between) / n;
    if (!made || config.certificates.size() != pems.size()) return state.SkipWithError("not loaded");
  }
  state.counters["bytes_a_certificate"] = certificates;
  state.counters["bytes_a_table_entry"] = context;
  state.counters["us_a_certificate"] =
      benchmark::Counter(n / 1e6, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

/// Names of all of them, in an order that caches do not know.
void lookup(benchmark::State& state, const char* prefix) {
  CertificateTable table;
  for (const OfferedCertificate& c : load(make(state.range(0), false))) {
    const std::vector<std::string> names = {c.certificate->names().front(), "*." + c.certificate->names().front()};
    table.add(c.certificate, names);
  }
  table.set_default(fake_certificate());
  std::mt19937_64 random(1);
  std::vector<std::string> asked;
  for (int i = 0; i < 65536; ++i) {
    asked.push_back(prefix + host(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(state.range(0)))));
  }
  std::size_t next = 0;
  for (auto _ : state) benchmark::DoNotOptimize(&table.find(asked[next++ % asked.size()]));
}

BENCHMARK_CAPTURE(loading, ecdsa, false)->Arg(10000)->Unit(benchmark::kMillisecond)->Iterations(2);
BENCHMARK_CAPTURE(loading, rsa, true)->Arg(10000)->Unit(benchmark::kMillisecond)->Iterations(2);
BENCHMARK_CAPTURE(lookup, exact, "")->Arg(1)->Arg(1000)->Arg(10000);
BENCHMARK_CAPTURE(lookup, wildcard, "x.")->Arg(1)->Arg(1000)->Arg(10000);
BENCHMARK_CAPTURE(lookup, unknown, "x.y.")->Arg(1)->Arg(1000)->Arg(10000);

}  // namespace
}  // namespace sluice::l7::tls

BENCHMARK_MAIN();
