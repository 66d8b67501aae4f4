// SPDX-License-Identifier: Apache-2.0

// fetch CA ADDRESS NAME VERSION PATH BODY: an upload of the file BODY to /sha and a download of PATH from https://NAME, which is at
// ADDRESS, over one connection of TLS 1.2 or 1.3 and then over a second one. Prints the answer to the upload, the SHA-256 of what
// came down, the version, and whether the second connection resumed the session of the first.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func answer(response *http.Response, err error) ([]byte, *tls.ConnectionState) {
	must(response, err)
	defer response.Body.Close()
	body := must(io.ReadAll(response.Body))
	if response.StatusCode != 200 {
		fmt.Fprintln(os.Stderr, response.Status)
		os.Exit(1)
	}
	return body, response.TLS
}

func main() {
	ca, address, name, version, path, file := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5], os.Args[6]
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(ca)))
	only := map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[version]
	dials := 0
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: only, MaxVersion: only,
			ClientSessionCache: tls.NewLRUClientSessionCache(8)},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			dials++
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(address, "443"))
		},
	}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	upload := must(os.ReadFile(file))
	told, _ := answer(client.Post("https://"+name+"/sha", "application/octet-stream", bytes.NewReader(upload)))
	down, first := answer(client.Get("https://" + name + path))
	if dials != 1 {
		fmt.Fprintln(os.Stderr, dials, "connections for two requests")
		os.Exit(1)
	}
	transport.CloseIdleConnections()
	_, second := answer(client.Get("https://" + name + path))
	fmt.Printf("%s %x %s %t\n", bytes.Fields(told)[0], sha256.Sum256(down), map[uint16]string{tls.VersionTLS12: "1.2",
		tls.VersionTLS13: "1.3"}[first.Version], second.DidResume)
}
