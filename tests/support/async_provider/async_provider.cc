// SPDX-License-Identifier: Apache-2.0
// A provider whose signatures are asynchronous jobs: README.md.
#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/async_operation.h"

namespace {

constexpr const char* kSoftware = "provider=default";

using Operation = sluice::test::AsyncOperation;

struct Device {
  std::mutex mutex;
  std::vector<Operation*> queue;
  std::mt19937 chance{1};
  std::atomic<long> fail = 0, allow = -1;
};
Device& device() {
  static auto& made = *new Device();  // its thread outlives all
  return made;
}

bool hit(long percent) {
  const std::lock_guard lock(device().mutex);
  return std::uniform_int_distribution<long>(0, 99)(device().chance) < percent;
}

Operation* take_any() {
  Device& d = device();
  const std::lock_guard lock(d.mutex);
  if (d.queue.empty() || d.allow == 0) return nullptr;
  if (d.allow > 0) --d.allow;
  std::swap(d.queue[d.chance() % d.queue.size()], d.queue.back());
  Operation* out = d.queue.back();
  d.queue.pop_back();
  return out;
}

[[noreturn]] void work() {
  for (;;) {
    Operation* o = take_any();
    if (o == nullptr) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      continue;
    }
    o->finish();
  }
}

/// `f` as a job. False: it is to fail.
template <class F>
bool run(F f) {
  const bool fails = hit(device().fail);
  ASYNC_JOB* job = ASYNC_get_current_job();
  if (job == nullptr) {
    f();
    return !fails;
  }
  Operation o;
  o.work = f;
  o.wait = ASYNC_get_wait_ctx(job);
  ASYNC_WAIT_CTX_set_status(o.wait, ASYNC_STATUS_OK);
  {
    const std::lock_guard lock(device().mutex);
    device().queue.push_back(&o);
  }
  ASYNC_pause_job();
  if (!o.done) {
    std::fputs("sluice-test-provider: a job was resumed before its operation had ended\n", stderr);
    std::abort();
  }
  return !fails;
}

// ---- Keys (provider-keymgmt(7)): software's, behind a handle of ours ----

struct Key {
  EVP_PKEY* key = nullptr;
};

void* key_new(void*) { return new Key(); }
void key_free(void* key) {
  EVP_PKEY_free(static_cast<Key*>(key)->key);
  delete static_cast<Key*>(key);
}
int key_has(const void* key, int) { return static_cast<const Key*>(key)->key != nullptr ? 1 : 0; }

int key_import(void* key, int selection, const OSSL_PARAM params[]) {
  EVP_PKEY_CTX* c = EVP_PKEY_CTX_new_from_name(nullptr, "RSA", kSoftware);
  const bool good = c != nullptr && EVP_PKEY_fromdata_init(c) == 1 &&
                    EVP_PKEY_fromdata(c, &static_cast<Key*>(key)->key, selection, const_cast<OSSL_PARAM*>(params)) == 1;
  EVP_PKEY_CTX_free(c);
  return good ? 1 : 0;
}

const OSSL_PARAM* key_import_types(int) {
  static const OSSL_PARAM out[] = {OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, nullptr, 0), OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, nullptr, 0),
                                   OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_D, nullptr, 0), OSSL_PARAM_END};
  return out;
}

int key_get(void* key, OSSL_PARAM params[]) { return EVP_PKEY_get_params(static_cast<Key*>(key)->key, params); }
const OSSL_PARAM* key_gettable(void*) {
  static const OSSL_PARAM out[] = {OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr), OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
                                   OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr), OSSL_PARAM_END};
  return out;
}

// ---- Signatures (provider-signature(7)) ----

struct Signature {
  EVP_MD_CTX* digest = EVP_MD_CTX_new();
  EVP_PKEY_CTX* key = nullptr;  ///< Of `digest`.
};

void* signature_new(void*, const char*) { return new Signature(); }
void signature_free(void* signature) {
  EVP_MD_CTX_free(static_cast<Signature*>(signature)->digest);
  delete static_cast<Signature*>(signature);
}

int sign_init(void* signature, const char* digest, void* key, const OSSL_PARAM params[]) {
  auto& s = *static_cast<Signature*>(signature);
  return EVP_DigestSignInit_ex(s.digest, &s.key, digest, nullptr, kSoftware, static_cast<Key*>(key)->key, params);
}

int sign(void* signature, unsigned char* out, std::size_t* length, std::size_t room, const unsigned char* text, std::size_t size) {
  auto& s = *static_cast<Signature*>(signature);
  if (out == nullptr) return EVP_DigestSign(s.digest, nullptr, length, text, size);
  int result = 0;
  *length = room;
  return run([&] { result = EVP_DigestSign(s.digest, out, length, text, size); }) ? result : 0;
}

int signature_set(void* signature, const OSSL_PARAM params[]) {
  auto& s = *static_cast<Signature*>(signature);
  return s.key == nullptr ? 1 : EVP_PKEY_CTX_set_params(s.key, params);
}

const OSSL_PARAM* signature_settable(void*, void*) {
  static const OSSL_PARAM out[] = {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
                                   OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0),
                                   OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, nullptr, 0), OSSL_PARAM_END};
  return out;
}

// ---- The provider ----

template <class F>
constexpr OSSL_DISPATCH entry(int id, F* f) {
  return {id, reinterpret_cast<void (*)()>(f)};
}

const OSSL_ALGORITHM* algorithms_for(void*, int operation, int* no_cache) {
  static const OSSL_DISPATCH keys[] = {entry(OSSL_FUNC_KEYMGMT_NEW, key_new), entry(OSSL_FUNC_KEYMGMT_FREE, key_free),
                                       entry(OSSL_FUNC_KEYMGMT_HAS, key_has), entry(OSSL_FUNC_KEYMGMT_IMPORT, key_import),
                                       entry(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types), entry(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get),
                                       entry(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable), {0, nullptr}};
  static const OSSL_DISPATCH signatures[] = {entry(OSSL_FUNC_SIGNATURE_NEWCTX, signature_new), entry(OSSL_FUNC_SIGNATURE_FREECTX, signature_free),
                                             entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init), entry(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign),
                                             entry(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signature_set),
                                             entry(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signature_settable), {0, nullptr}};
  static const OSSL_ALGORITHM key_kinds[] = {{"RSA:rsaEncryption", "provider=sluice-test", keys, nullptr}, {nullptr, nullptr, nullptr, nullptr}};
  static const OSSL_ALGORITHM signature_kinds[] = {{"RSA:rsaEncryption", "provider=sluice-test", signatures, nullptr},
                                                   {nullptr, nullptr, nullptr, nullptr}};
  *no_cache = 0;
  if (operation == OSSL_OP_KEYMGMT) return key_kinds;
  return operation == OSSL_OP_SIGNATURE ? signature_kinds : nullptr;
}

}  // namespace

extern "C" {

void sluice_test_provider_set(const char* name, long value) { (std::strcmp(name, "fail") == 0 ? device().fail : device().allow) = value; }

int OSSL_provider_init(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
  static const OSSL_DISPATCH functions[] = {entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, algorithms_for), {0, nullptr}};
  static char nothing;
  *out = functions;
  *context = &nothing;
  const char* settings = std::getenv("SLUICE_TEST_PROVIDER");
  for (const char* name : {"fail", "allow"}) {
    const char* at = settings == nullptr ? nullptr : std::strstr(settings, name);
    if (at != nullptr) sluice_test_provider_set(name, std::strtol(at + std::strlen(name) + 1, nullptr, 10));
  }
  std::thread(work).detach();
  return 1;
}

}  // extern "C"
