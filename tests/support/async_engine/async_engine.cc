// SPDX-License-Identifier: Apache-2.0
// An engine whose operations are asynchronous jobs: README.md.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/async.h>
#include <openssl/ec.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/async_operation.h"

namespace {

enum Command : int { kEnablePolling = ENGINE_CMD_BASE, kPoll, kSeed, kDelay, kFail, kFull, kHold, kRelease };

const ENGINE_CMD_DEFN kCommands[] = {
    {kEnablePolling, "ENABLE_EXTERNAL_POLLING", "operations end within POLL", ENGINE_CMD_FLAG_NO_INPUT},
    {kPoll, "POLL", "ends operations", ENGINE_CMD_FLAG_NO_INPUT},
    {kSeed, "SEED", "of all that is left to chance", ENGINE_CMD_FLAG_NUMERIC},
    {kDelay, "DELAY", "most polls that an operation takes", ENGINE_CMD_FLAG_NUMERIC},
    {kFail, "FAIL_PERCENT", "operations that fail", ENGINE_CMD_FLAG_NUMERIC},
    {kFull, "FULL_PERCENT", "operations that find no room at first", ENGINE_CMD_FLAG_NUMERIC},
    {kHold, "HOLD", "1: what begins does not end before RELEASE", ENGINE_CMD_FLAG_NUMERIC},
    {kRelease, "RELEASE", "what is held may end", ENGINE_CMD_FLAG_NO_INPUT},
    {0, nullptr, nullptr, 0}};

struct Operation : sluice::test::AsyncOperation {
  std::thread::id begun_by = std::this_thread::get_id();
  long polls = 1;
  bool held = false;
};

struct Engine {
  std::mutex mutex;
  std::vector<Operation*> queue;
  std::mt19937 chance{1};
  std::atomic<long> delay = 4, fail = 0, full = 0, hold = 0;
  std::atomic<bool> polled = false;
  std::atomic<bool> stopping = false;
  std::thread thread;
};
Engine& engine() {
  static auto& made = *new Engine();  // the library's end does not end it
  return made;
}

[[noreturn]] void give_up(const char* why) {
  std::fprintf(stderr, "sluice-test-engine: %s\n", why);
  std::abort();
}

bool hit(long percent) {
  const std::lock_guard lock(engine().mutex);
  return std::uniform_int_distribution<long>(0, 99)(engine().chance) < percent;
}

/// Ends what is due, in any order. `of_this_thread`: of nobody else's.
void poll(bool of_this_thread) {
  std::vector<Operation*> due;
  {
    Engine& e = engine();
    const std::lock_guard lock(e.mutex);
    std::shuffle(e.queue.begin(), e.queue.end(), e.chance);
    const auto end = std::partition(e.queue.begin(), e.queue.end(), [&](Operation* o) {
      return (of_this_thread && o->begun_by != std::this_thread::get_id()) || o->held || --o->polls > 0;
    });
    due.assign(end, e.queue.end());
    e.queue.erase(end, e.queue.end());
  }
  for (Operation* o : due) o->finish();
}

/// `work` as a job. False: it is to fail.
template <class Work>
bool run(Work work) {
  ASYNC_JOB* job = ASYNC_get_current_job();
  if (job == nullptr) {
    if (std::getenv("SLUICE_TEST_ENGINE_JOBS_ONLY") != nullptr) give_up("was asked for an operation outside a job");
    work();
    return true;
  }
  ASYNC_WAIT_CTX* wait = ASYNC_get_wait_ctx(job);
  while (hit(engine().full)) {
    ASYNC_WAIT_CTX_set_status(wait, ASYNC_STATUS_EAGAIN);
    ASYNC_pause_job();
  }
  ASYNC_WAIT_CTX_set_status(wait, ASYNC_STATUS_OK);
  const bool fails = hit(engine().fail);
  Operation o;
  o.work = work;
  o.wait = wait;
  {
    Engine& e = engine();
    const std::lock_guard lock(e.mutex);
    o.held = e.hold != 0;
    o.polls = std::uniform_int_distribution<long>(1, e.delay)(e.chance);
    e.queue.push_back(&o);
  }
  ASYNC_pause_job();
  if (!o.done) give_up("a job was resumed before its operation had ended");
  if (fails) ERR_put_error(ERR_LIB_USER, 0, ERR_R_INTERNAL_ERROR, "", 0);
  return !fails;
}

int encrypt(int n, const unsigned char* from, unsigned char* to, RSA* key, int padding) {
  int out = -1;
  const bool good = run([&] { out = RSA_meth_get_priv_enc(RSA_PKCS1_OpenSSL())(n, from, to, key, padding); });
  return good ? out : -1;
}

int decrypt(int n, const unsigned char* from, unsigned char* to, RSA* key, int padding) {
  int out = -1;
  const bool good = run([&] { out = RSA_meth_get_priv_dec(RSA_PKCS1_OpenSSL())(n, from, to, key, padding); });
  return good ? out : -1;
}

ECDSA_SIG* sign(const unsigned char* digest, int n, const BIGNUM* inverse, const BIGNUM* r, EC_KEY* key) {
  int (*whole)(int, const unsigned char*, int, unsigned char*, unsigned*, const BIGNUM*, const BIGNUM*, EC_KEY*) = nullptr;
  int (*setup)(EC_KEY*, BN_CTX*, BIGNUM**, BIGNUM**) = nullptr;
  ECDSA_SIG* (*soft)(const unsigned char*, int, const BIGNUM*, const BIGNUM*, EC_KEY*) = nullptr;
  EC_KEY_METHOD_get_sign(EC_KEY_OpenSSL(), &whole, &setup, &soft);
  ECDSA_SIG* out = nullptr;
  if (run([&] { out = soft(digest, n, inverse, r, key); })) return out;
  ECDSA_SIG_free(out);
  return nullptr;
}

using Generate = int (*)(EVP_PKEY_CTX*, EVP_PKEY*);
using Derive = int (*)(EVP_PKEY_CTX*, unsigned char*, std::size_t*);

int generate(EVP_PKEY_CTX* context, EVP_PKEY* key) {
  int (*init)(EVP_PKEY_CTX*) = nullptr;
  Generate soft = nullptr;
  EVP_PKEY_meth_get_keygen(EVP_PKEY_meth_find(NID_X25519), &init, &soft);
  int out = -1;
  return run([&] { out = soft(context, key); }) ? out : -1;
}

int derive(EVP_PKEY_CTX* context, unsigned char* secret, std::size_t* n) {
  int (*init)(EVP_PKEY_CTX*) = nullptr;
  Derive soft = nullptr;
  EVP_PKEY_meth_get_derive(EVP_PKEY_meth_find(NID_X25519), &init, &soft);
  int out = -1;
  return run([&] { out = soft(context, secret, n); }) ? out : -1;
}

EVP_PKEY_METHOD* g_x25519 = nullptr;  // of the engine that was bound last, which frees it at its end

bool make_x25519() {
  g_x25519 = EVP_PKEY_meth_new(NID_X25519, 0);
  if (g_x25519 == nullptr) return false;
  EVP_PKEY_meth_copy(g_x25519, EVP_PKEY_meth_find(NID_X25519));
  EVP_PKEY_meth_set_keygen(g_x25519, nullptr, generate);
  EVP_PKEY_meth_set_derive(g_x25519, nullptr, derive);
  return true;
}

int key_methods(ENGINE*, EVP_PKEY_METHOD** out, const int** kinds, int) {
  static const int offered[] = {NID_X25519};
  if (out != nullptr) *out = g_x25519;
  else *kinds = offered;
  return 1;
}

int control(ENGINE*, int command, long i, void* p, void (*)()) {
  Engine& e = engine();
  switch (command) {
    case kEnablePolling: e.polled = true; return 1;
    case kPoll: poll(true); return 1;
    case kSeed: {
      const std::lock_guard lock(e.mutex);
      e.chance.seed(static_cast<unsigned>(i));
      return 1;
    }
    case kDelay: e.delay = std::max(1L, i); return 1;
    case kFail: e.fail = i; return 1;
    case kFull: e.full = i; return 1;
    case kHold: e.hold = i; return 1;
    case kRelease: {
      const std::lock_guard lock(e.mutex);
      for (Operation* o : e.queue) o->held = false;
      return 1;
    }
    default: return 0;
  }
}

int start(ENGINE*) {
  Engine& e = engine();
  if (e.polled || e.thread.joinable()) return 1;
  e.thread = std::thread([&e] {
    while (!e.stopping) {
      poll(false);
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  return 1;
}

int finish(ENGINE*) {
  Engine& e = engine();
  e.stopping = true;
  if (e.thread.joinable()) e.thread.join();
  return 1;
}

int bind(ENGINE* e, const char*) {
  static RSA_METHOD* const rsa = RSA_meth_dup(RSA_PKCS1_OpenSSL());
  static EC_KEY_METHOD* const ec = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
  if (rsa == nullptr || ec == nullptr) return 0;
  RSA_meth_set_priv_enc(rsa, encrypt);
  RSA_meth_set_priv_dec(rsa, decrypt);
  EC_KEY_METHOD_set_sign(ec, nullptr, nullptr, sign);
  const bool threaded = std::getenv("SLUICE_TEST_ENGINE_THREAD") != nullptr;
  if (std::getenv("SLUICE_TEST_ENGINE_NO_X25519") == nullptr && (!make_x25519() || ENGINE_set_pkey_meths(e, key_methods) != 1)) return 0;
  return ENGINE_set_id(e, "sluice-test-engine") && ENGINE_set_name(e, "asynchronous, for tests") && ENGINE_set_RSA(e, rsa) &&
         ENGINE_set_EC(e, ec) && ENGINE_set_ctrl_function(e, control) && ENGINE_set_init_function(e, start) &&
         ENGINE_set_cmd_defns(e, threaded ? kCommands + 2 : kCommands) && ENGINE_set_finish_function(e, finish);
}

}  // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
IMPLEMENT_DYNAMIC_CHECK_FN()
IMPLEMENT_DYNAMIC_BIND_FN(bind)
}
#pragma GCC diagnostic pop
