// SPDX-License-Identifier: Apache-2.0
#include "mgmt/cli/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mgmt/cli/table.h"

namespace sluice::mgmt::cli {
namespace {

using nlohmann::json;

constexpr int kApplyAttempts = 5;

std::string member_of(std::string path) {
  std::replace(path.begin(), path.end(), '-', '_');
  return path;
}

int unreachable(const Error& e) {
  fmt::print(stderr, "{}\n", e.message);
  return kUnreachable;
}

/// "/listeners/3/port" of `document` as "/listeners/web/port": an index says little to the author of a file.
std::string readable_path(const std::string& path, const json& document) {
  std::istringstream in(path);
  std::string empty, kind, index, rest;
  std::getline(in, empty, '/');
  std::getline(in, kind, '/');
  std::getline(in, index, '/');
  std::getline(in, rest, '\0');
  if (index.empty() || index.find_first_not_of("0123456789") != std::string::npos || index.size() > 9)
    return path;
  const std::size_t i = std::stoul(index);
  if (!document.is_object() || !document.contains(kind) || i >= document[kind].size()) return path;
  const json& one = document[kind][i];
  if (!one.is_object() || !one.contains("id") || !one["id"].is_string()) return path;
  return fmt::format("/{}/{}{}{}", kind, one["id"].get<std::string>(), rest.empty() ? "" : "/", rest);
}

/// Prints the problem that the server answered with.
int refused(const Answer& answer, const json& document = {}) {
  const json problem = json::parse(answer.body, nullptr, false);
  if (!problem.is_object()) {
    fmt::print(stderr, "status {}: {}\n", answer.status, answer.body.substr(0, 500));
    return kRefused;
  }
  const json errors = problem.value("errors", json::array());
  const bool fields = answer.status == 422 && !errors.empty();  // whose detail repeats the first of them
  fmt::print(stderr, "{} {}{}\n", answer.status, problem.value("title", ""),
             fields ? "" : ": " + problem.value("detail", ""));
  if (!fields && errors.size() < 2) return kRefused;
  for (const json& e : errors) {
    fmt::print(stderr, "  {}: {}\n", readable_path(e.value("path", ""), document), e.value("message", ""));
  }
  return kRefused;
}

bool good(const Answer& a) { return a.status >= 200 && a.status < 300; }

void print(const json& document) {
  fmt::print("{}\n", document.dump(2, ' ', false, json::error_handler_t::replace));
}

/// GET, shown as JSON or by `as_text`.
template <class F>
int show(const Target& target, const std::string& path, Output output, F as_text) {
  const auto answer = request(target, "GET", path);
  if (!answer) return unreachable(answer.error());
  if (!good(*answer)) return refused(*answer);
  const json document = json::parse(answer->body, nullptr, false);
  if (document.is_discarded()) {
    fmt::print(stderr, "{} does not answer like a Sluice appliance\n", target.server);
    return kUnreachable;
  }
  if (output == Output::kJson) {
    print(document);
  } else {
    fmt::print("{}", as_text(document));
  }
  return kOk;
}

std::optional<std::string> read_input(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

/// Adds the objects of `document` to `running`, in place of those of the same id.
void merge(json& running, const json& document) {
  for (const auto& [member, objects] : document.items()) {
    json& list = running[member];
    if (!objects.is_array() || !list.is_array()) {
      running[member] = objects;  // The server says what is wrong with it.
      continue;
    }
    std::map<std::string, std::size_t> index;
    for (std::size_t i = 0; i < list.size(); ++i) index[list[i].value("id", "")] = i;
    for (const json& object : objects) {
      const bool named = object.is_object() && object.contains("id") && object["id"].is_string();
      const auto at = named ? index.find(object["id"].get<std::string>()) : index.end();
      if (at == index.end()) {
        list.push_back(object);
      } else {
        list[at->second] = object;
      }
    }
  }
}

int report_applied(const Answer& answer) {
  const json result = json::parse(answer.body, nullptr, false);
  if (!result.is_object()) return kOk;
  const std::string outcome = result.value("outcome", "");
  fmt::print("{}", changes_text(result.value("changes", json::object())));
  fmt::print("{} (revision {})\n", outcome == "dry_run" ? "valid; nothing was changed" : outcome,
             result.value("revision", 0));
  return kOk;
}

}  // namespace

const std::vector<std::string>& kind_paths() {
  static const std::vector<std::string> kPaths = {"load-balancers", "listeners",    "rules",
                                                  "server-groups",  "certificates", "address-pools", "access-control-lists",
                                                  "certificate-authorities", "tls-policies"};
  return kPaths;
}

std::string kind_path(const std::string& word) {
  std::string w = word;
  std::replace(w.begin(), w.end(), '_', '-');
  if (w == "lb" || w == "lbs") return "load-balancers";
  if (w == "group" || w == "groups") return "server-groups";
  if (w == "cert" || w == "certs") return "certificates";
  if (w == "ca" || w == "cas" || w == "certificate-authority") return "certificate-authorities";
  for (const std::string& path : kind_paths()) {
    if (w == path || w + "s" == path) return path;
  }
  return {};
}

int get(const Target& target, const std::string& kind, const std::string& id,
        const std::vector<std::string>& filters, Output output) {
  if (kind == "config")
    return show(target, "/api/v1/config", Output::kJson, [](const json&) { return std::string(); });
  const std::string name = kind_path(kind);
  if (name.empty()) {
    fmt::print(stderr, "\"{}\" is no kind of resource; expected config, {}\n", kind,
               fmt::join(kind_paths(), ", "));
    return kUsage;
  }
  std::string path = "/api/v1/" + name;
  if (!id.empty()) {
    return show(target, path + "/" + percent_encode(id), output,
                [&](const json& one) { return resource_table(name, json::array({one})); });
  }
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const auto equals = filters[i].find('=');
    if (equals == std::string::npos) {
      fmt::print(stderr, "\"{}\": expected NAME=VALUE, such as listener=web\n", filters[i]);
      return kUsage;
    }
    path += (i == 0 ? "?" : "&") + percent_encode(filters[i].substr(0, equals)) + "=" +
            percent_encode(filters[i].substr(equals + 1));
  }
  return show(target, path, output, [&](const json& list) { return resource_table(name, list["items"]); });
}

int apply(const Target& target, const std::string& file, bool dry_run, bool replace) {
  const auto text = read_input(file);
  if (!text) {
    fmt::print(stderr, "{}: cannot be read\n", file);
    return kUsage;
  }
  json document;
  try {
    document = json::parse(*text);
  } catch (const json::parse_error& e) {
    const std::string what =
        e.what();  // and without what it quotes: it may have stopped inside a private key
    fmt::print(stderr, "{}: not valid JSON: {}\n", file, what.substr(0, what.find("; last read:")));
    return kUsage;
  }
  const std::string path = dry_run ? "/api/v1/config?dry_run=true" : "/api/v1/config";
  if (replace || !document.is_object()) {
    const auto answer = request(target, "PUT", path, document.dump());
    if (!answer) return unreachable(answer.error());
    return good(*answer) ? report_applied(*answer) : refused(*answer, document);
  }
  for (int attempt = 1;; ++attempt) {
    const auto running = request(target, "GET", "/api/v1/config");
    if (!running) return unreachable(running.error());
    if (!good(*running)) return refused(*running);
    json whole = json::parse(running->body, nullptr, false);
    if (!whole.is_object()) return refused(*running);
    merge(whole, document);
    const auto tag = running->headers.find("etag");
    const auto answer = request(target, "PUT", path, whole.dump(),
                                {"If-Match: " + (tag == running->headers.end() ? "*" : tag->second)});
    if (!answer) return unreachable(answer.error());
    if (answer->status == 412 && attempt < kApplyAttempts)
      continue;  // Somebody else was faster: again from the new state.
    return good(*answer) ? report_applied(*answer) : refused(*answer, whole);
  }
}

int remove(const Target& target, const std::string& kind, const std::string& id) {
  const std::string name = kind_path(kind);
  if (name.empty()) {
    fmt::print(stderr, "\"{}\" is no kind of resource; expected {}\n", kind, fmt::join(kind_paths(), ", "));
    return kUsage;
  }
  const auto answer = request(target, "DELETE", "/api/v1/" + name + "/" + percent_encode(id));
  if (!answer) return unreachable(answer.error());
  if (!good(*answer)) return refused(*answer);
  fmt::print("- {} {}\n", member_of(name), id);
  return kOk;
}

int explain(const Target& target, const Explain& what, Output output) {
  std::string path = "/api/v1/explain?url=" + percent_encode(what.url);
  for (const auto& [name, value] : {std::pair{"vip", &what.vip},
                                    {"method", &what.method},
                                    {"host", &what.host},
                                    {"source", &what.source}}) {
    if (!value->empty()) path += fmt::format("&{}={}", name, percent_encode(*value));
  }
  for (const std::string& h : what.headers) path += "&header=" + percent_encode(h);
  return show(target, path, output, [](const json& e) { return explanation_text(e); });
}

int status(const Target& target, Output output) {
  const auto stats = request(target, "GET", "/api/v1/stats");
  if (!stats) return unreachable(stats.error());
  if (!good(*stats)) return refused(*stats);
  return show(target, "/api/v1/health", output, [&](const json& health) {
    return status_screen(health, json::parse(stats->body, nullptr, false));
  });
}

int revisions(const Target& target, Output output) {
  return show(target, "/api/v1/revisions", output,
              [](const json& list) { return revision_table(list["items"]); });
}

int events(const Target& target, Output output) {
  return show(target, "/api/v1/events?limit=1000", output,
              [](const json& list) { return event_table(list["items"]); });
}

int rollback(const Target& target, std::uint64_t revision, bool dry_run) {
  const auto answer =
      request(target, "POST",
              fmt::format("/api/v1/revisions/{}/rollback{}", revision, dry_run ? "?dry_run=true" : ""));
  if (!answer) return unreachable(answer.error());
  return good(*answer) ? report_applied(*answer) : refused(*answer);
}

}  // namespace sluice::mgmt::cli
