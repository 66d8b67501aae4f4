// SPDX-License-Identifier: Apache-2.0
#include "mgmt/ingress/http_loop.h"

#include <curl/curl.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "dataplane/base/ascii.h"
#include "mgmt/ingress/model/authority.h"

namespace sluice::mgmt::ingress {
namespace {

struct Transfer {
  HttpLoop::Id id = 0;
  CURL* curl = nullptr;
  curl_slist* lines = nullptr;
  HttpRequest request;
  HttpResponse response;
  HttpLoop::Done done;
  std::string url;
  std::shared_ptr<CredentialSource> source;
  std::shared_ptr<const Credentials> shown;  ///< Of source.
  curl_slist* way = nullptr;
  char why[CURL_ERROR_SIZE] = {};

  ~Transfer() {
    if (curl != nullptr) curl_easy_cleanup(curl);
    curl_slist_free_all(lines);
    curl_slist_free_all(way);
  }
};

std::size_t take_body(char* data, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  long status = 0;
  curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &status);
  if (t.request.on_data && status == 200) return t.request.on_data({data, n}) ? n : 0;
  if (t.response.body.size() + n > t.request.max_body) {
    t.response.error = "the answer is larger than " + std::to_string(t.request.max_body) + " bytes";
    return 0;
  }
  t.response.body.append(data, n);
  return n;
}

std::size_t take_header(char* data, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  const std::string_view line(data, n);
  const auto colon = line.find(':');
  if (colon == line.npos || t.response.headers.size() > 100) return n;
  const std::string name = ascii_lower(std::string(line.substr(0, colon)));
  const auto first = line.find_first_not_of(" \t", colon + 1), last = line.find_last_not_of(" \t\r\n");
  t.response.headers[name] =
      first == line.npos || last < first ? "" : std::string(line.substr(first, last - first + 1));
  return n;
}

std::string token_of(const Server& server) {
  if (server.token_file.empty()) return server.token;
  // Tokens of service accounts are short-lived and replaced in place.
  std::ifstream in(server.token_file);
  std::string word, last;
  while (in >> word) last = word;
  return last;
}

void set_blob(CURL* curl, CURLoption option, const std::string& bytes) {
  curl_blob blob{const_cast<char*>(bytes.data()), bytes.size(), CURL_BLOB_COPY};
  curl_easy_setopt(curl, option, &blob);
}

void set_tls(CURL* curl, const Server& s) {
  // A CA that is given is the only one: not all of the system's besides.
  if (!s.ca_file.empty() || !s.ca_pem.empty()) curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
  if (!s.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, s.ca_file.c_str());
  if (!s.ca_pem.empty()) set_blob(curl, CURLOPT_CAINFO_BLOB, s.ca_pem);
  curl_easy_setopt(curl, CURLOPT_CA_CACHE_TIMEOUT, 0L);  // a CA file that changed is read again
  if (!s.client_certificate.empty()) set_blob(curl, CURLOPT_SSLCERT_BLOB, s.client_certificate);
  if (!s.client_key.empty()) set_blob(curl, CURLOPT_SSLKEY_BLOB, s.client_key);
  if (!s.client_certificate_file.empty())
    curl_easy_setopt(curl, CURLOPT_SSLCERT, s.client_certificate_file.c_str());
  if (!s.client_key_file.empty()) curl_easy_setopt(curl, CURLOPT_SSLKEY, s.client_key_file.c_str());
  if (s.insecure) {
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

/// The certificate's name in place of the URL's host, which it is connected to all the same, and which Host names.
/// Without TLS there is no certificate.
void use_tls_name(Transfer& t, const Server& s) {
  const std::size_t scheme = s.url.find("://");
  if (s.tls_server_name.empty() || ascii_lower(s.url.substr(0, scheme)) != "https") return;
  const std::string authority = s.url.substr(scheme + 3, s.url.find('/', scheme + 3) - scheme - 3);
  const Authority parts = split_authority(authority);
  const std::string port = ":" + std::string(parts.port.value_or("443"));
  t.url = "https://" + s.tls_server_name + port + s.url.substr(scheme + 3 + authority.size()) + t.request.path;
  t.way = curl_slist_append(nullptr, ("::" + std::string(parts.host) + port).c_str());
  curl_easy_setopt(t.curl, CURLOPT_CONNECT_TO, t.way);
  t.lines = curl_slist_append(t.lines, ("Host: " + authority).c_str());
}

void add_line(Transfer& t, const std::string& line) { t.lines = curl_slist_append(t.lines, line.c_str()); }

void set_up(Transfer& t, const Server& server) {
  CURL* c = t.curl;
  t.url = server.url + t.request.path;
  use_tls_name(t, server);
  curl_easy_setopt(c, CURLOPT_URL, t.url.c_str());
  if (!server.proxy_url.empty()) curl_easy_setopt(c, CURLOPT_PROXY, server.proxy_url.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, t.request.method.c_str());
  // HTTP/1.1: a stalled watch must not hold back others on its connection.
  curl_easy_setopt(c, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  if (!t.request.body.empty()) {
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.request.body.size()));
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, t.request.body.c_str());
  }
  add_line(t, "Expect:");
  if (const std::string token = t.shown && !t.shown->token.empty() ? t.shown->token : token_of(server); !token.empty())
    add_line(t, "Authorization: Bearer " + token);
  for (const std::string& h : t.request.headers) add_line(t, h);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, t.lines);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice-ingress");
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(c, CURLOPT_HEADERDATA, &t);
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t.why);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, static_cast<long>(t.request.timeout.count()));
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  // Who holds a watch open must notice that the other side is gone.
  curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(c, CURLOPT_TCP_KEEPIDLE, 15L);
  curl_easy_setopt(c, CURLOPT_TCP_KEEPINTVL, 5L);
  set_tls(c, server);
  if (t.shown && !t.shown->client_certificate.empty()) {
    set_blob(c, CURLOPT_SSLCERT_BLOB, t.shown->client_certificate);
    set_blob(c, CURLOPT_SSLKEY_BLOB, t.shown->client_key);
  }
}

/// The server hung up on who shows a certificate. In TLS 1.3 it does so when our side of the handshake is done, and we
/// send already (RFC 8446, 2): whether the alert that says why is read, or a reset comes first, is a matter of luck.
bool certificate_may_be_refused(const Transfer& t, CURLcode code, long status) {
  const bool hung_up = code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ||
                       code == CURLE_GOT_NOTHING;
  return hung_up && status == 0 && t.shown && !t.shown->client_certificate.empty();
}

}  // namespace

struct HttpLoop::Impl {
  CURLM* multi = curl_multi_init();
  Id last_id = 0;
  std::map<Id, std::unique_ptr<Transfer>> transfers;
  // libcurl's handles cannot be added or removed while it runs, and on_data is called from there.
  bool performing = false;
  long streams = -1;
  std::map<Id, std::unique_ptr<Transfer>> waiting;  // For credentials.
  std::vector<CURL*> arriving;
  std::vector<std::unique_ptr<Transfer>> leaving;
  std::multimap<Clock::time_point, std::pair<Id, std::function<void()>>> timers;

  void begin(std::unique_ptr<Transfer> t, const Server& server);
  void on_credentials(Id id, const Server& server, const std::shared_ptr<const Credentials>& shown, const std::string& why);
  void limit_connections();
  void perform();
  void settle();
  void finish(CURL* curl, CURLcode code);
  void run_timers();
};

HttpLoop::HttpLoop() : impl_(std::make_unique<Impl>()) {}

HttpLoop::~HttpLoop() {
  for (auto& [id, t] : impl_->transfers) curl_multi_remove_handle(impl_->multi, t->curl);
  impl_->transfers.clear();
  curl_multi_cleanup(impl_->multi);
}

HttpLoop::Id HttpLoop::start(const Server& server, HttpRequest request, Done done) {
  auto t = std::make_unique<Transfer>();
  const Id id = t->id = ++impl_->last_id;
  t->request = std::move(request);
  t->done = std::move(done);
  t->source = server.credentials;
  if (t->source) t->shown = t->source->current();
  if (!t->source || t->shown) {
    impl_->begin(std::move(t), server);
    return id;
  }
  impl_->waiting.emplace(id, std::move(t));
  Server way = server;
  way.credentials = nullptr;  // It would own itself through who waits there.
  server.credentials->renew(*this, [impl = impl_.get(), id, way](const auto& shown, const std::string& why) {
    impl->on_credentials(id, way, shown, why);
  });
  return id;
}

void HttpLoop::Impl::begin(std::unique_ptr<Transfer> t, const Server& server) {
  t->curl = curl_easy_init();
  set_up(*t, server);
  curl_easy_setopt(t->curl, CURLOPT_PRIVATE, t.get());
  if (performing) {
    arriving.push_back(t->curl);
  } else {
    curl_multi_add_handle(multi, t->curl);
  }
  transfers.emplace(t->id, std::move(t));
}

void HttpLoop::Impl::on_credentials(Id id, const Server& server, const std::shared_ptr<const Credentials>& shown,
                                    const std::string& why) {
  auto found = waiting.extract(id);
  if (found.empty()) return;  // It was cancelled meanwhile.
  std::unique_ptr<Transfer> t = std::move(found.mapped());
  if (shown) {
    t->shown = shown;
    begin(std::move(t), server);
  } else {
    t->response.error = "no credentials: " + why;
    t->done(std::move(t->response));
  }
}

HttpLoop::Id HttpLoop::after(Clock::duration delay, std::function<void()> callback) {
  const Id id = ++impl_->last_id;
  impl_->timers.emplace(Clock::now() + delay, std::pair(id, std::move(callback)));
  return id;
}

void HttpLoop::cancel(Id id) {
  if (impl_->waiting.erase(id) != 0) return;
  if (const auto found = impl_->transfers.find(id); found != impl_->transfers.end()) {
    impl_->leaving.push_back(std::move(found->second));
    impl_->transfers.erase(found);
    if (!impl_->performing) impl_->settle();
    return;
  }
  std::erase_if(impl_->timers, [&](const auto& t) { return t.second.first == id; });
}

void HttpLoop::Impl::finish(CURL* curl, CURLcode code) {
  Transfer* raw = nullptr;
  curl_easy_getinfo(curl, CURLINFO_PRIVATE, &raw);
  const auto found = transfers.find(raw->id);
  if (found == transfers.end()) return;  // It was cancelled while it ended.
  const std::unique_ptr<Transfer> t = std::move(found->second);
  transfers.erase(found);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_multi_remove_handle(multi, curl);
  if (t->source && (status == 401 || certificate_may_be_refused(*t, code, status))) t->source->refused(t->shown);
  if (code == CURLE_OK) {
    t->response.status = static_cast<int>(status);
  } else if (t->response.error.empty()) {
    t->response.error = t->why[0] != '\0' ? t->why : curl_easy_strerror(code);
  }
  t->done(std::move(t->response));
}

/// A thousand Secrets are read at once, and are not worth a thousand connections. Streams keep one each, and must
/// leave some to the others.
void HttpLoop::Impl::limit_connections() {
  const long now = std::count_if(transfers.begin(), transfers.end(),
                                 [](const auto& t) { return t.second->request.on_data != nullptr; });
  if (std::exchange(streams, now) != now) curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 40 + now);
}

void HttpLoop::Impl::perform() {
  int running = 0;
  limit_connections();
  performing = true;
  curl_multi_perform(multi, &running);
  performing = false;
  for (CURL* curl : std::exchange(arriving, {})) curl_multi_add_handle(multi, curl);
  settle();
}

void HttpLoop::Impl::settle() {
  for (const auto& t : leaving) curl_multi_remove_handle(multi, t->curl);
  leaving.clear();
}

void HttpLoop::Impl::run_timers() {
  const auto now = Clock::now();
  while (!timers.empty() && timers.begin()->first <= now) {
    const auto callback = std::move(timers.begin()->second.second);
    timers.erase(timers.begin());
    callback();
  }
}

void HttpLoop::poll(Clock::duration longest) {
  impl_->perform();
  int left = 0;
  bool finished = false;
  while (const CURLMsg* m = curl_multi_info_read(impl_->multi, &left)) {
    if (m->msg != CURLMSG_DONE) continue;
    finished = true;
    impl_->finish(m->easy_handle, m->data.result);
  }
  // Only now: what has just arrived may have started a timer.
  if (!impl_->timers.empty()) longest = std::min(longest, impl_->timers.begin()->first - Clock::now());
  const auto wait = std::max<std::int64_t>(
      0, std::chrono::duration_cast<std::chrono::milliseconds>(longest + std::chrono::microseconds(999))
             .count());
  if (!finished) curl_multi_poll(impl_->multi, nullptr, 0, static_cast<int>(wait), nullptr);
  impl_->run_timers();
}

void HttpLoop::wake() { curl_multi_wakeup(impl_->multi); }

}  // namespace sluice::mgmt::ingress
