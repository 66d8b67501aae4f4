// SPDX-License-Identifier: Apache-2.0
#include "l7/tls/aead_engine.h"

#define NO_COMPAT_IMB_API_053  // its old names collide with OpenSSL's
#include <intel-ipsec-mb.h>

#include <openssl/crypto.h>

namespace sluice::l7::tls {
namespace {

/// Expanded keys of a worker; 280 KB, so that they stay in its second-level cache.
constexpr std::size_t kSlots = 256;

/// What the library's own declarations ask for only where LINUX is defined.
constexpr std::size_t kAlignment = 64;

/// The functions of AES-GCM for one size of key and one direction.
struct Gcm {
  aes_gcm_pre_t expand;
  aes_gcm_enc_dec_t whole;
  aes_gcm_init_t begin;
  aes_gcm_enc_dec_update_t update;
  aes_gcm_enc_dec_finalize_t end;
};

struct ManagerFree {
  void operator()(IMB_MGR* m) const { free_mb_mgr(m); }
};

}  // namespace

struct AeadEngine::Impl {
  explicit Impl(std::unique_ptr<IMB_MGR, ManagerFree> m) : manager(std::move(m)) {
    const IMB_MGR& f = *manager;
    seal[0] = {f.gcm128_pre, f.gcm128_enc, f.gcm128_init, f.gcm128_enc_update, f.gcm128_enc_finalize};
    seal[1] = {f.gcm256_pre, f.gcm256_enc, f.gcm256_init, f.gcm256_enc_update, f.gcm256_enc_finalize};
    open[0] = {f.gcm128_pre, f.gcm128_dec, f.gcm128_init, f.gcm128_dec_update, f.gcm128_dec_finalize};
    open[1] = {f.gcm256_pre, f.gcm256_dec, f.gcm256_init, f.gcm256_dec_update, f.gcm256_dec_finalize};
  }
  ~Impl() { OPENSSL_cleanse(slots.get(), kSlots * sizeof(Slot)); }

  struct Slot {
    alignas(kAlignment) gcm_key_data data;
    std::uint64_t id = 0;  ///< 0: none
  };
  Slot& slot_of(const TrafficKey& key) { return slots[key.id % kSlots]; }
  const gcm_key_data& expanded(const Gcm& f, const TrafficKey& key) {
    Slot& s = slot_of(key);
    if (s.id != key.id) {
      f.expand(key.key.data(), &s.data);
      s.id = key.id;
    }
    return s.data;
  }
  void gcm(const Gcm& f, const TrafficKey& key, const Nonce& nonce, std::span<const std::uint8_t> additional,
           std::span<const Piece> pieces, Tag& tag);
  void chacha(bool sealing, const TrafficKey& key, const Nonce& nonce, std::span<const std::uint8_t> additional,
              std::span<const Piece> pieces, Tag& tag);

  std::unique_ptr<IMB_MGR, ManagerFree> manager;
  std::array<Gcm, 2> seal, open;  ///< By Aead.
  std::unique_ptr<Slot[]> slots = std::make_unique<Slot[]>(kSlots);
  std::uint64_t last_id = 0;
};

void AeadEngine::Impl::gcm(const Gcm& f, const TrafficKey& key, const Nonce& nonce,
                           std::span<const std::uint8_t> additional, std::span<const Piece> pieces, Tag& tag) {
  const gcm_key_data& k = expanded(f, key);
  alignas(kAlignment) gcm_context_data context;
  if (pieces.size() == 1) {
    f.whole(&k, &context, pieces[0].to, pieces[0].from, pieces[0].size, nonce.data(), additional.data(),
            additional.size(), tag.data(), tag.size());
    return;
  }
  f.begin(&k, &context, nonce.data(), additional.data(), additional.size());
  for (const Piece& p : pieces) f.update(&k, &context, p.to, p.from, p.size);
  f.end(&k, &context, tag.data(), tag.size());
}

void AeadEngine::Impl::chacha(bool sealing, const TrafficKey& key, const Nonce& nonce,
                              std::span<const std::uint8_t> additional, std::span<const Piece> pieces, Tag& tag) {
  const IMB_MGR& f = *manager;
  const auto update = sealing ? f.chacha20_poly1305_enc_update : f.chacha20_poly1305_dec_update;
  alignas(kAlignment) chacha20_poly1305_context_data context;
  f.chacha20_poly1305_init(key.key.data(), &context, nonce.data(), additional.data(), additional.size());
  for (const Piece& p : pieces) update(key.key.data(), &context, p.to, p.from, p.size);
  f.chacha20_poly1305_finalize(&context, tag.data(), tag.size());
}

AeadEngine::AeadEngine() {
  std::unique_ptr<IMB_MGR, ManagerFree> manager(alloc_mb_mgr(0));
  if (manager == nullptr) return;
  init_mb_mgr_auto(manager.get(), nullptr);
  if (imb_get_errno(manager.get()) != 0) return;
  impl_ = std::make_unique<Impl>(std::move(manager));
}

AeadEngine::~AeadEngine() = default;

void AeadEngine::admit(TrafficKey& key) { key.id = ++impl_->last_id; }

void AeadEngine::forget(const TrafficKey& key) {
  Impl::Slot& s = impl_->slot_of(key);
  if (key.id != 0 && s.id == key.id) OPENSSL_cleanse(&s, sizeof s);
}

void AeadEngine::seal(Aead aead, const TrafficKey& key, const Nonce& nonce, std::span<const std::uint8_t> additional,
                      std::span<const Piece> pieces, Tag& tag) {
  if (aead == Aead::kChaCha20Poly1305) return impl_->chacha(true, key, nonce, additional, pieces, tag);
  impl_->gcm(impl_->seal[static_cast<std::size_t>(aead)], key, nonce, additional, pieces, tag);
}

void AeadEngine::open(Aead aead, const TrafficKey& key, const Nonce& nonce, std::span<const std::uint8_t> additional,
                      std::span<const Piece> pieces, Tag& tag) {
  if (aead == Aead::kChaCha20Poly1305) return impl_->chacha(false, key, nonce, additional, pieces, tag);
  impl_->gcm(impl_->open[static_cast<std::size_t>(aead)], key, nonce, additional, pieces, tag);
}

bool equal(const Tag& a, const Tag& b) { return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace sluice::l7::tls
