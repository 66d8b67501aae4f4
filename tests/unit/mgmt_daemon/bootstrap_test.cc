// SPDX-License-Identifier: Apache-2.0
#include "mgmt/daemon/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::mgmt::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> errors_of(const std::string& text) {
  std::vector<std::string> out;
  for (const auto& e : parse_bootstrap(text, "s.conf").errors) out.push_back(e.to_string());
  return out;
}

constexpr const char* kPorts =
    "ports = ( { name = \"wan\"; device = \"net_null0\"; addresses = [ \"192.0.2.2/24\" ]; } );\n";
constexpr const char* kWorkers = "workers = { cores = [ 1 ]; };\n";

std::string with(const std::string& more) { return std::string(kPorts) + kWorkers + more; }

TEST(Bootstrap, the_least_file_gets_the_documented_defaults) {
  const auto r = parse_bootstrap(with(""), "s.conf");
  ASSERT_TRUE(r.ok());
  const Bootstrap& b = r.value;
  EXPECT_EQ(b.data_folder, "/var/lib/sluice");
  EXPECT_EQ(b.huge_pages, Bootstrap::HugePages::kAuto);
  EXPECT_EQ(b.management.address, "127.0.0.1");
  EXPECT_EQ(b.management.port, 8443);
  EXPECT_TRUE(b.management.tls);
  EXPECT_TRUE(b.management.metrics_auth);
  EXPECT_FALSE(b.core_dumps);
  EXPECT_EQ(b.log.level, "info");
  EXPECT_EQ(b.log.access_log, "-");
  EXPECT_TRUE(b.ocsp.stapling);
  EXPECT_EQ(b.ocsp.responder + b.ocsp.proxy, "");
  EXPECT_EQ(b.runtime.idle, IdlePolicy::kAdaptive);
  EXPECT_EQ(b.runtime.drain_timeout, std::chrono::seconds(30));
  ASSERT_EQ(b.runtime.ports.size(), 1u);
  EXPECT_EQ(b.runtime.ports[0].mtu, 1500);
  EXPECT_EQ(b.runtime.ports[0].addresses[0].to_string(), "192.0.2.2/24");
}

TEST(Bootstrap, every_field_arrives) {
  const auto r = parse_bootstrap(
      "ports = ( { name = \"wan\"; device = \"0000:00:05.0\"; addresses = [ \"192.0.2.2/24\", "
      "\"2001:db8::2/64\" ]; mtu = 9000;\n"
      "            vlan = 12; rx_descriptors = 2048; tx_descriptors = 512; },\n"
      "          { name = \"lan\"; device = \"net_tap0\"; addresses = ( \"10.0.0.1/8\" ); } );\n"
      "routes = ( { destination = \"0.0.0.0/0\"; gateway = \"192.0.2.1\"; }, { destination = \"::/0\"; "
      "gateway = \"fe80::1\"; port = \"lan\"; } );\n"
      "workers = { cores = [ 2, 3 ]; idle = \"busy\"; drain_timeout_s = 5; };\n"
      "memory = { huge_pages = false; memory_mb = 1024; buffers = 5000; file_prefix = \"lb2\"; eal_arguments "
      "= [ \"--log-level=7\" ]; };\n"
      "local_ports = [ 20000, 40000 ];\n"
      "tcp = { congestion = \"newreno\"; ecn = false; pacing = false; max_mss = 1400; };\n"
      "management = { listen = \"[::1]:9000\"; tls = false; token_file = \"/etc/t\"; metrics_auth = false; "
      "certificate = \"/c\"; private_key = \"/k\"; };\n"
      "tls = { engine = \"qatengine\"; engine_commands = [ \"ENABLE_SW_FALLBACK\", \"SW_ALGO_BITMAP=0x1\" ]; "
      "engine_algorithms = [ \"rsa\", \"x25519\" ]; engine_jobs = 256; };\n"
      "data_folder = \"/srv/sluice\";\n"
      "core_dumps = true;\n"
      "ocsp = { stapling = false; responder = \"http://127.0.0.1:8888/\"; proxy = \"socks5h://10.0.0.9:1080\"; };\n"
      "log = { level = \"debug\"; format = \"json\"; file = \"/l\"; access_log = \"\"; };\n",
      "s.conf");
  ASSERT_TRUE(r.ok()) << r.errors[0].to_string();
  const Bootstrap& b = r.value;
  EXPECT_EQ(b.runtime.ports[0].vlan, 12);
  EXPECT_EQ(b.runtime.ports[0].rx_descriptors, 2048);
  EXPECT_EQ(b.runtime.ports[0].tx_descriptors, 512);
  EXPECT_EQ(b.runtime.ports[1].device, "net_tap0");
  ASSERT_EQ(b.runtime.routes.size(), 2u);
  EXPECT_EQ(b.runtime.routes[0].port, std::nullopt);
  EXPECT_EQ(b.runtime.routes[1].gateway.to_string(), "fe80::1");
  EXPECT_EQ(b.runtime.routes[1].port, PortId{1});
  EXPECT_THAT(b.runtime.worker_cores, ElementsAre(2, 3));
  EXPECT_EQ(b.runtime.idle, IdlePolicy::kBusy);
  EXPECT_EQ(b.huge_pages, Bootstrap::HugePages::kNo);
  EXPECT_EQ(b.runtime.mbufs, 5000u);
  EXPECT_EQ(b.runtime.file_prefix, "lb2");
  EXPECT_THAT(b.runtime.extra_eal_args, ElementsAre("--log-level=7"));
  EXPECT_EQ(b.runtime.local_ports.first, 20000);
  EXPECT_EQ(b.runtime.local_ports.last, 40000);
  EXPECT_EQ(b.tcp.congestion, l4::tcp::Algorithm::kNewReno);
  EXPECT_FALSE(b.tcp.ecn);
  EXPECT_FALSE(b.tcp.pacing);
  EXPECT_EQ(b.tcp.max_mss, 1400);
  EXPECT_EQ(b.management.address, "::1");
  EXPECT_EQ(b.management.port, 9000);
  EXPECT_FALSE(b.management.tls);
  EXPECT_FALSE(b.management.metrics_auth);
  EXPECT_EQ(b.management.token_file, "/etc/t");
  EXPECT_EQ(b.tls_engine.name, "qatengine");
  EXPECT_TRUE(b.core_dumps);
  EXPECT_THAT(b.tls_engine.commands, ElementsAre("ENABLE_SW_FALLBACK", "SW_ALGO_BITMAP=0x1"));
  EXPECT_THAT(b.tls_engine.algorithms, ElementsAre(l7::tls::EngineAlgorithm::kRsa, l7::tls::EngineAlgorithm::kX25519));
  EXPECT_EQ(b.tls_engine.jobs, 256u);
  EXPECT_EQ(b.log.format, Bootstrap::LogFormat::kJson);
  EXPECT_EQ(b.log.access_log, "");
  EXPECT_FALSE(b.ocsp.stapling);
  EXPECT_EQ(b.ocsp.responder, "http://127.0.0.1:8888/");
  EXPECT_EQ(b.ocsp.proxy, "socks5h://10.0.0.9:1080");
}

struct Wrong {
  const char* name;
  std::string text;
  const char* error;  ///< The whole line.
};

void PrintTo(const Wrong& w, std::ostream* out) { *out << w.name; }

class WrongFile : public testing::TestWithParam<Wrong> {};

TEST_P(WrongFile, is_told_by_line_field_and_expectation) {
  EXPECT_THAT(errors_of(GetParam().text), ElementsAre(GetParam().error));
}

std::string port(const std::string& fields) { return "ports = (\n  { " + fields + " }\n);\n" + kWorkers; }

INSTANTIATE_TEST_SUITE_P(
    Table, WrongFile,
    testing::Values(
        Wrong{"mtu", port("name = \"a\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ]; mtu = 70000;"),
              "s.conf:2: ports[0].mtu: expected a whole number from 576 to 9216, not 70000"},
        Wrong{"mtu_text",
              port("name = \"a\"; device = \"d\"; addresses = [ \"10.0.0.1/8\" ];\n mtu = \"big\";"),
              "s.conf:3: ports[0].mtu: expected a whole number from 576 to 9216, not \"big\""},
        Wrong{"unknown", with("colour = \"red\";"),
              "s.conf:3: colour: unknown name, expected one of ports, routes, workers, local_ports, tcp, "
              "tls, memory, "
              "management, data_folder, core_dumps, ocsp, log"},
        Wrong{"ocsp_responder", with("ocsp = { responder = \"ldap://a/\"; };"),
              "s.conf:3: ocsp.responder: expected a URL (\"http://192.0.2.9:8888/\"), not \"ldap://a/\""},
        Wrong{"ocsp_proxy", with("ocsp = { proxy = \"http://\"; };"),
              "s.conf:3: ocsp.proxy: expected the URL of a proxy (\"http://192.0.2.9:3128\", \"socks5h://192.0.2.9:1080\"), "
              "not \"http://\""},
        Wrong{"unknown_inner", with("log = { levle = \"info\"; };"),
              "s.conf:3: log.levle: unknown name, expected one of level, format, file, access_log"},
        Wrong{"engine", with("tls = { engine = \"qat engine\"; };"),
              "s.conf:3: tls.engine: expected the id of an OpenSSL engine (\"qatengine\"), or the absolute path of one, "
              "not \"qat engine\""},
        Wrong{"engine_jobs", with("tls = { engine = \"qatengine\"; engine_jobs = 0; };"),
              "s.conf:3: tls.engine_jobs: expected a whole number from 1 to 1024, not 0"},
        Wrong{"engine_commands", with("tls = { engine = \"qatengine\"; engine_commands = [ \"=1\" ]; };"),
              "s.conf:3: tls.engine_commands[0]: expected a control command of the engine (\"NAME\", \"NAME=VALUE\"), "
              "not \"=1\""},
        Wrong{"engine_algorithms", with("tls = { engine = \"qatengine\"; engine_algorithms = [ \"dsa\" ]; };"),
              "s.conf:3: tls.engine_algorithms[0]: expected \"rsa\", \"ecdsa\" or \"x25519\", not \"dsa\""},
        Wrong{"no_engine", with("tls = { engine_jobs = 8; };"),
              "s.conf:3: tls.engine_jobs: expected an engine or providers as well"},
        Wrong{"properties", with("tls = { properties = \"?provider=base\"; };"),
              "s.conf:3: tls.properties: expected providers as well"},
        Wrong{"providers_and_engine", with("tls = { engine = \"qatengine\"; providers = [ \"base\" ]; };"),
              "s.conf:3: tls.providers: expected no engine beside them"},
        Wrong{"provider", with("tls = { providers = [ \"\" ]; };"),
              "s.conf:3: tls.providers[0]: expected the name of an OpenSSL provider (\"qatprovider\"), or the absolute path of "
              "one, not \"\""},
        Wrong{"no_device", port("name = \"a\"; addresses = [ \"10.0.0.1/8\" ];"),
              "s.conf:2: ports[0].device: is missing"},
        Wrong{"no_ports", kWorkers, "s.conf: ports: is missing"},
        Wrong{"address", port("name = \"a\"; device = \"d\"; addresses = [ \"10.0.0.999/8\" ];"),
              "s.conf:2: ports[0].addresses[0]: expected an interface address with its prefix length "
              "(\"192.0.2.2/24\"), not \"10.0.0.999/8\""},
        Wrong{"address_without_length", port("name = \"a\"; device = \"d\"; addresses = [ \"10.0.0.1\" ];"),
              "s.conf:2: ports[0].addresses[0]: expected an interface address with its prefix length "
              "(\"192.0.2.2/24\"), not \"10.0.0.1\""},
        Wrong{"addresses_no_array", port("name = \"a\"; device = \"d\"; addresses = \"10.0.0.1/8\";"),
              "s.conf:2: ports[0].addresses: expected an array [ ... ] of an interface address with its "
              "prefix length (\"192.0.2.2/24\"), not \"10.0.0.1/8\""},
        Wrong{"idle", std::string(kPorts) + "workers = {\n cores = [ 1 ];\n idle = \"sometimes\"; };",
              "s.conf:4: workers.idle: expected one of \"busy\", \"adaptive\", not \"sometimes\""},
        Wrong{"core_twice", std::string(kPorts) + "workers = { cores = [ 1, 1 ]; };",
              "s.conf:2: workers.cores: expected each core once"},
        Wrong{"no_core", std::string(kPorts) + "workers = { cores = [ ]; };",
              "s.conf:2: workers.cores: expected 1 to 64 cores"},
        Wrong{"core_number", std::string(kPorts) + "workers = { cores = [ 1, 5000 ]; };",
              "s.conf:2: workers.cores[1]: expected a whole number from 0 to 1023, not 5000"},
        Wrong{"huge_pages", with("memory = { huge_pages = \"maybe\"; };"),
              "s.conf:3: memory.huge_pages: expected \"on\", \"off\" or \"auto\", not \"maybe\""},
        Wrong{"listen", with("management = { listen = \"localhost\"; };"),
              "s.conf:3: management.listen: expected an address and a port (\"127.0.0.1:8443\", "
              "\"[::1]:8443\"), not \"localhost\""},
        Wrong{"listen_port", with("management = { listen = \"127.0.0.1:70000\"; };"),
              "s.conf:3: management.listen: expected an address and a port (\"127.0.0.1:8443\", "
              "\"[::1]:8443\"), not \"127.0.0.1:70000\""},
        Wrong{"tls", with("management = { tls = \"yes\"; };"),
              "s.conf:3: management.tls: expected true or false, not \"yes\""},
        Wrong{"key_alone", with("management = { private_key = \"/k\"; };"),
              "s.conf:3: management.certificate: expected certificate and private_key together"},
        Wrong{"gateway_family", with("routes = ( { destination = \"0.0.0.0/0\"; gateway = \"fe80::1\"; } );"),
              "s.conf:3: routes[0].gateway: expected an address of the same family as the destination"},
        Wrong{"gateway_port",
              with("routes = ( { destination = \"::/0\"; gateway = \"fe80::1\"; port = \"man\"; } );"),
              "s.conf:3: routes[0].port: expected the name of one of the ports, not \"man\""},
        Wrong{"gateway_off_link",
              with("routes = ( { destination = \"0.0.0.0/0\"; gateway = \"198.51.100.1\"; } );"),
              "s.conf:3: routes[0].gateway: expected an address inside a network of one of the ports"},
        Wrong{"local_ports", with("local_ports = [ 60000, 50000 ];"),
              "s.conf:3: local_ports: expected [first, last], with 256 ports for each worker at least"},
        Wrong{"data_folder", with("data_folder = \"here\";"),
              "s.conf:3: data_folder: expected an absolute path (\"/var/lib/sluice\"), not \"here\""},
        Wrong{"ports_no_list", std::string("ports = { name = \"a\"; };\n") + kWorkers,
              "s.conf:1: ports: expected a list ( { ... }, ... ) of groups, not a group { ... }"},
        Wrong{"port_no_group", std::string("ports = ( 5 );\n") + kWorkers,
              "s.conf:1: ports[0]: expected a group { ... }, not 5"},
        Wrong{"twice", with("data_folder = \"/a\";\ndata_folder = \"/b\";"),
              "s.conf:4: duplicate setting name"},
        Wrong{"syntax", "ports = (\n {", "s.conf:2: syntax error"}),
    [](const auto& wrong) { return wrong.param.name; });

TEST(Bootstrap, all_errors_of_a_file_are_told_at_once_in_the_order_of_lines) {
  EXPECT_THAT(errors_of("log = { level = \"loud\"; };\nworkers = { cores = [ 1 ];\n idle = 3; };\nports = "
                        "(\n { name = \"a b\"; device = \"d\"; addresses = []; } );\n"),
              ElementsAre(HasSubstr("s.conf:1: log.level"), HasSubstr("s.conf:3: workers.idle"),
                          HasSubstr("s.conf:5: ports[0].name")));
}

TEST(Bootstrap, two_ports_of_one_name_or_device_are_refused) {
  EXPECT_THAT(errors_of(std::string("ports = ( { name = \"a\"; device = \"d\"; addresses = []; },\n { name = "
                                    "\"a\"; device = \"d\"; addresses = []; } );\n") +
                        kWorkers),
              ElementsAre("s.conf:2: ports[1].name: expected a name of its own, \"a\" is another port's",
                          "s.conf:2: ports[1].device: expected a device of its own, \"d\" is port a's"));
}

TEST(Bootstrap, a_file_that_is_not_there_is_an_error_and_no_crash) {
  const auto r = load_bootstrap("/nonexistent/sluice.conf");
  ASSERT_EQ(r.errors.size(), 1u);
  EXPECT_THAT(r.errors[0].to_string(), HasSubstr("/nonexistent/sluice.conf: cannot be read"));
  EXPECT_FALSE(load_bootstrap("/").ok());
}

TEST(Bootstrap, every_sample_is_accepted) {
  for (const char* name : {"veth", "tap", "eni-vm", "memif", "vhost"}) {
    const auto r = load_bootstrap(std::string(SLUICE_SOURCE_ROOT "/docs/samples/") + name + ".conf");
    EXPECT_TRUE(r.ok()) << r.errors[0].to_string();
  }
}

TEST(Bootstrap, auto_takes_huge_pages_when_enough_are_free) {
  using H = Bootstrap::HugePages;
  const std::string enough =
      "HugePages_Total:     512\nHugePages_Free:      256\nHugepagesize:       2048 kB\n";
  EXPECT_TRUE(choose_huge_pages(H::kAuto, 512, enough));
  EXPECT_FALSE(choose_huge_pages(H::kAuto, 513, enough));
  EXPECT_FALSE(choose_huge_pages(H::kAuto, 64, "MemTotal: 1 kB\n"));
  EXPECT_TRUE(choose_huge_pages(H::kYes, 512, ""));
  EXPECT_FALSE(choose_huge_pages(H::kNo, 1, enough));
}

}  // namespace
}  // namespace sluice::mgmt::daemon
