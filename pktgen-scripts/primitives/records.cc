// SPDX-License-Identifier: Apache-2.0
#define NO_COMPAT_IMB_API_053  // its old names collide with OpenSSL's
#include <intel-ipsec-mb.h>

#include <array>
#include <functional>
#include <span>

#include "pktgen-scripts/primitives/memory_tls.h"

namespace sluice::primitives {
namespace {

constexpr std::size_t kBatch = 256 * 1024;  // plaintext bytes a turn, about a window
constexpr std::size_t kTag = 16, kNonce = 12, kHeader = 5, kInnerType = 1;
constexpr std::uint8_t kKey[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::uint8_t kAad[kHeader] = {23, 3, 3, 0x40, 0x11};

/// Sealed records of one library, and plaintext to compare with: what each of them works on in a turn.
struct Batch {
  Batch(std::size_t record_size, std::size_t segment_size)
      : record(record_size), segment(segment_size), plain(kBatch, 'p'), sealed(kBatch, 0), back(kBatch, 0) {}
  std::size_t records() const { return kBatch / record; }
  std::size_t record, segment;
  std::string plain, sealed, back;
  std::array<std::array<std::uint8_t, kTag>, kBatch / 1024> tags{};
};

std::uint8_t* at(std::string& s, std::size_t offset) {
  return reinterpret_cast<std::uint8_t*>(s.data() + offset);
}

std::array<std::uint8_t, kNonce> nonce_of(std::size_t i) { return {static_cast<std::uint8_t>(i), 1, 2, 3}; }

class IpsecMb {
 public:
  IpsecMb() : manager_(alloc_mb_mgr(0)) {
    if (manager_ == nullptr) throw Failure("IPsec-MB: no manager");
    init_mb_mgr_auto(manager_, nullptr);
    IMB_AES128_GCM_PRE(manager_, kKey, &key_);
  }
  ~IpsecMb() { free_mb_mgr(manager_); }
  IpsecMb(const IpsecMb&) = delete;
  IpsecMb& operator=(const IpsecMb&) = delete;
  const IMB_MGR* manager() const { return manager_; }
  const gcm_key_data& key() const { return key_; }

  void seal(Batch& b) {
    for (std::size_t i = 0; i < b.records(); ++i) {
      const auto nonce = nonce_of(i);
      IMB_AES128_GCM_ENC(manager_, &key_, &context_, at(b.sealed, i * b.record), at(b.plain, i * b.record),
                         b.record, nonce.data(), kAad, kHeader, b.tags[i].data(), kTag);
    }
  }
  void open(Batch& b) {
    for (std::size_t i = 0; i < b.records(); ++i) {
      const auto nonce = nonce_of(i);
      std::uint8_t tag[kTag];
      IMB_AES128_GCM_DEC(manager_, &key_, &context_, at(b.back, i * b.record), at(b.sealed, i * b.record),
                         b.record, nonce.data(), kAad, kHeader, tag, kTag);
      if (std::memcmp(tag, b.tags[i].data(), kTag) != 0) throw Failure("IPsec-MB: wrong tag");
    }
  }

 private:
  IMB_MGR* manager_;
  alignas(64) gcm_key_data key_{};
  alignas(64) gcm_context_data context_{};
};

/// IPsec-MB by itself over the same packet memory: segments of the same pool, made and filled as those of l7/tls are, enciphered
/// and deciphered where they lie. Where they are is found out beforehand, and nothing is done about headers, tags and buffers.
class IpsecMbSegments {
 public:
  IpsecMbSegments(const IpsecMb& library, BufPool& pool) : manager_(library.manager()), key_(library.key()), pool_(pool) {}

  /// `b` has been sealed by the library in one piece.
  void seal(const Batch& b, Stopwatch& watch) {
    std::vector<BufChain> chains;
    Places places;
    for (std::size_t i = 0; i < b.records(); ++i) {
      chains.push_back(chain_of(std::string_view(b.plain).substr(i * b.record, b.record), pool_, b.segment));
      places.push_back(places_of(chains.back(), 0, b.record));
    }
    run(b, places, watch, manager_->gcm128_enc_update, manager_->gcm128_enc_finalize);
    for (std::size_t i = 0; i < b.records(); ++i) {
      const auto sealed = std::string_view(b.sealed).substr(i * b.record, b.record);
      if (chains[i].to_string() != sealed) throw Failure("segments: sealed otherwise");
    }
  }

  void open(const Batch& b, Stopwatch& watch) {
    const std::size_t framed = kHeader + b.record + kInnerType + kTag;
    std::string wire(b.records() * framed, 0);
    for (std::size_t i = 0; i < b.records(); ++i) {
      wire.replace(i * framed + kHeader, b.record, b.sealed, i * b.record, b.record);
    }
    BufChain chain = chain_of(wire, pool_, b.segment);
    Places places;
    for (std::size_t i = 0; i < b.records(); ++i) places.push_back(places_of(chain, i * framed + kHeader, b.record));
    run(b, places, watch, manager_->gcm128_dec_update, manager_->gcm128_dec_finalize);
    wire = chain.to_string();
    for (std::size_t i = 0; i < b.records(); ++i) {
      const auto opened = std::string_view(wire).substr(i * framed + kHeader, b.record);
      if (opened != std::string_view(b.plain).substr(i * b.record, b.record)) throw Failure("segments: opened otherwise");
    }
  }

 private:
  using Places = std::vector<std::vector<std::span<std::uint8_t>>>;  ///< Of each record.

  static std::vector<std::span<std::uint8_t>> places_of(BufChain& chain, std::size_t from, std::size_t size) {
    std::vector<std::span<std::uint8_t>> out;
    std::size_t at = 0;
    for (auto* m = chain.head(); m != nullptr && at < from + size; m = segment::next(m)) {
      const auto bytes = segment::writable(m);
      const std::size_t first = std::max(at, from), end = std::min(at + bytes.size(), from + size);
      if (first < end) out.push_back(bytes.subspan(first - at, end - first));
      at += bytes.size();
    }
    return out;
  }

  void run(const Batch& b, const Places& places, Stopwatch& watch, aes_gcm_enc_dec_update_t update,
           aes_gcm_enc_dec_finalize_t end) {
    watch.go();
    for (std::size_t i = 0; i < b.records(); ++i) {
      std::uint8_t tag[kTag];
      manager_->gcm128_init(&key_, &context_, nonce_of(i).data(), kAad, kHeader);
      for (const auto& p : places[i]) update(&key_, &context_, p.data(), p.data(), p.size());
      end(&key_, &context_, tag, kTag);
      if (std::memcmp(tag, b.tags[i].data(), kTag) != 0) throw Failure("segments: wrong tag");
    }
    watch.halt();
  }

  const IMB_MGR* manager_;
  const gcm_key_data& key_;
  BufPool& pool_;
  alignas(64) gcm_context_data context_{};
};

struct CipherFree {
  void operator()(EVP_CIPHER_CTX* c) const { EVP_CIPHER_CTX_free(c); }
};

class Evp {
 public:
  Evp() : seal_(EVP_CIPHER_CTX_new()), open_(EVP_CIPHER_CTX_new()) {
    EVP_EncryptInit_ex(seal_.get(), EVP_aes_128_gcm(), nullptr, kKey, nullptr);
    EVP_DecryptInit_ex(open_.get(), EVP_aes_128_gcm(), nullptr, kKey, nullptr);
  }
  void seal(Batch& b) {
    EVP_CIPHER_CTX* c = seal_.get();
    int n = 0;
    for (std::size_t i = 0; i < b.records(); ++i) {
      EVP_EncryptInit_ex(c, nullptr, nullptr, nullptr, nonce_of(i).data());
      EVP_EncryptUpdate(c, nullptr, &n, kAad, kHeader);
      EVP_EncryptUpdate(c, at(b.sealed, i * b.record), &n, at(b.plain, i * b.record),
                        static_cast<int>(b.record));
      EVP_EncryptFinal_ex(c, nullptr, &n);
      EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, kTag, b.tags[i].data());
    }
  }
  void open(Batch& b) {
    EVP_CIPHER_CTX* c = open_.get();
    int n = 0;
    for (std::size_t i = 0; i < b.records(); ++i) {
      EVP_DecryptInit_ex(c, nullptr, nullptr, nullptr, nonce_of(i).data());
      EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, kTag, b.tags[i].data());
      EVP_DecryptUpdate(c, nullptr, &n, kAad, kHeader);
      EVP_DecryptUpdate(c, at(b.back, i * b.record), &n, at(b.sealed, i * b.record),
                        static_cast<int>(b.record));
      if (EVP_DecryptFinal_ex(c, nullptr, &n) != 1) throw Failure("EVP: wrong tag");
    }
  }

 private:
  std::unique_ptr<EVP_CIPHER_CTX, CipherFree> seal_, open_;
};

/// A connection of the appliance's TLS, open, with its client.
class Connection {
 public:
  explicit Connection(BufPool& pool)
      : pool_(pool), server_({}, {}, pool), context_(client_context()), client_(context_.get(), nullptr) {
    server_.accept();
    std::string to_client;
    for (bool done = false; !server_.open || !done;) {
      done = client_.step(to_client);
      if (BufChain c = chain_of(client_.take_output(), pool_); !c.empty()) server_.input(std::move(c));
      server_.flush();
      to_client = server_.take_output();
    }
    client_.read(to_client);
  }

  /// The proxy passes on what it has with one send() a record at most, as segments of the backend's packets.
  void seal(const Batch& b, Stopwatch& watch) {
    std::vector<BufChain> chains;
    for (std::size_t i = 0; i < b.records(); ++i) {
      chains.push_back(chain_of(std::string_view(b.plain).substr(i * b.record, b.record), pool_, b.segment));
    }
    watch.go();
    for (BufChain& c : chains) {
      server_.stream->send(std::move(c), kNow);
      server_.flush();  // else what waits becomes one record
    }
    watch.halt();
    if (client_.read(server_.take_output()) != b.plain) throw Failure("sealed bytes are not those that were sent");
  }

  void open(const Batch& b, Stopwatch& watch) {
    for (std::size_t i = 0; i < b.records(); ++i)
      client_.write(std::string_view(b.plain).substr(i * b.record, b.record));
    BufChain sealed = chain_of(client_.take_output(), pool_, b.segment);
    watch.go();
    server_.input(std::move(sealed));
    server_.flush();
    watch.halt();
    if (server_.received.to_string() != b.plain) throw Failure("opened bytes are not those that were sent");
    server_.received.clear();
  }

 private:
  BufPool& pool_;
  Appliance server_;
  l7::tls::SslCtxPtr context_;
  Client client_;
};

struct Rates {
  Stopwatch sluice, ipsec_mb, ipsec_mb_segments, evp;
  std::uint64_t turns = 0;

  std::string json() const {
    const double bytes = static_cast<double>(turns * kBatch);
    return "{\"sluice\":" + std::to_string(bytes / sluice.seconds()) +
           ",\"ipsec_mb\":" + std::to_string(bytes / ipsec_mb.seconds()) +
           ",\"ipsec_mb_segments\":" + std::to_string(bytes / ipsec_mb_segments.seconds()) +
           ",\"evp\":" + std::to_string(bytes / evp.seconds()) + "}";
  }
};

void timed(Stopwatch& watch, const std::function<void()>& work) {
  watch.go();
  work();
  watch.halt();
}

void check(const Batch& b) {
  if (b.back != b.plain) throw Failure("a library opened other bytes than it sealed");
}

struct Kind {
  const char* name;
  std::size_t record, segment;
};
constexpr Kind kKinds[] = {{"16384", 16384, kMssSegment}, {"16384_lro", 16384, kLroSegment}, {"1024", 1024, kMssSegment}};

}  // namespace

std::string measure_records(double seconds) {
  BufPool& buffers = start_buffers();
  Connection connection(buffers);
  IpsecMb ipsec_mb;
  IpsecMbSegments segments(ipsec_mb, buffers);
  Evp evp;
  std::string out;
  for (const Kind& kind : kKinds) {
    Batch b(kind.record, kind.segment);
    Rates seal, open;
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds / std::size(kKinds));
    while (std::chrono::steady_clock::now() < end) {  // in turns, a window each
      connection.seal(b, seal.sluice);
      timed(seal.ipsec_mb, [&] { ipsec_mb.seal(b); });
      timed(open.ipsec_mb, [&] { ipsec_mb.open(b); });
      check(b);
      segments.seal(b, seal.ipsec_mb_segments);
      connection.open(b, open.sluice);
      segments.open(b, open.ipsec_mb_segments);
      timed(seal.evp, [&] { evp.seal(b); });
      timed(open.evp, [&] { evp.open(b); });
      check(b);
      ++seal.turns, ++open.turns;
    }
    out += (out.empty() ? "{" : ",") + ("\"seal_" + std::string(kind.name)) + "\":" + seal.json() + ",\"open_" + kind.name +
           "\":" + open.json();
  }
  return out + "}";
}

}  // namespace sluice::primitives
