// SPDX-License-Identifier: Apache-2.0
#include "mgmt/cli/client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cctype>
#include <memory>

#include "dataplane/base/ascii.h"

namespace sluice::mgmt::cli {
namespace {

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

struct List {
  curl_slist* head = nullptr;
  void add(const std::string& line) { head = curl_slist_append(head, line.c_str()); }
  ~List() { curl_slist_free_all(head); }
};

std::size_t take_body(char* data, std::size_t, std::size_t n, void* out) {
  static_cast<Answer*>(out)->body.append(data, n);
  return n;
}

std::size_t take_header(char* data, std::size_t, std::size_t n, void* out) {
  std::string line(data, n);
  const auto colon = line.find(':');
  if (colon == std::string::npos) return n;
  const std::string name = ascii_lower(line.substr(0, colon));
  const auto first = line.find_first_not_of(" \t", colon + 1), last = line.find_last_not_of(" \t\r\n");
  static_cast<Answer*>(out)->headers[name] =
      first == std::string::npos || last < first ? "" : line.substr(first, last - first + 1);
  return n;
}

}  // namespace

Result<Answer> request(const Target& target, const std::string& method, const std::string& path,
                       const std::string& body, const std::vector<std::string>& headers) {
  const Handle curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) return Error{"libcurl could not be started"};
  Answer answer;
  std::string why(CURL_ERROR_SIZE, '\0');
  List lines;
  // No "Expect: 100-continue": one round trip less.
  lines.add("Expect:");
  if (!target.token.empty()) lines.add("Authorization: Bearer " + target.token);
  for (const auto& h : headers) lines.add(h);
  std::string url = target.server + path;
  if (target.override_manager && method != "GET") {
    url += (path.find('?') == path.npos ? "?" : "&") + std::string("override_manager=true");
  }
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "127.0.0.1,::1,localhost");
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method.c_str());
  if (!body.empty()) {
    lines.add("Content-Type: application/json");
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  }
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, lines.head);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, why.data());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, target.timeout_s);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, 5L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  if (!target.ca_file.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, target.ca_file.c_str());
  if (target.insecure) {
    curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    return Error{
        fmt::format("{}: {}", target.server, why[0] != '\0' ? why.c_str() : curl_easy_strerror(code))};
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

std::string percent_encode(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) {
    if (std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("%{:02X}", c);
    }
  }
  return out;
}

}  // namespace sluice::mgmt::cli
