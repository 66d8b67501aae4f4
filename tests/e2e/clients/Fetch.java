// SPDX-License-Identifier: Apache-2.0

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.util.HexFormat;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/** Fetch CA ADDRESS NAME VERSION PATH BODY: as fetch.go, with Java's TLS (JSSE). */
public class Fetch {
  private final SSLContext context;
  private final String address, name, version;

  private Fetch(String ca, String address, String name, String version) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    CertificateFactory certificates = CertificateFactory.getInstance("X.509");
    store.setCertificateEntry("ca", certificates.generateCertificate(new ByteArrayInputStream(Files.readAllBytes(Path.of(ca)))));
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(store);
    this.context = SSLContext.getInstance("TLS");
    this.context.init(null, trust.getTrustManagers(), null);
    this.address = address;
    this.name = name;
    this.version = version;
  }

  /** Named by host and port, by which JSSE finds the session of an earlier connection. */
  private SSLSocket connect() throws Exception {
    Socket plain = new Socket(address, 443);
    plain.setSoTimeout(30_000);
    SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, name, 443, true);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setServerNames(List.of(new SNIHostName(name)));
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    parameters.setProtocols(new String[] {"TLSv" + version});
    socket.setSSLParameters(parameters);
    socket.startHandshake();
    return socket;
  }

  private byte[] ask(SSLSocket socket, String method, String path, byte[] body) throws Exception {
    String head = method + " " + path + " HTTP/1.1\r\nHost: " + name + "\r\nContent-Length: " + body.length + "\r\n\r\n";
    socket.getOutputStream().write(head.getBytes(StandardCharsets.US_ASCII));
    socket.getOutputStream().write(body);
    DataInputStream in = new DataInputStream(socket.getInputStream());
    String status = line(in);
    if (!status.startsWith("HTTP/1.1 200 ")) throw new IllegalStateException(status);
    int length = -1;
    for (String field = line(in); !field.isEmpty(); field = line(in)) {
      if (field.toLowerCase().startsWith("content-length:")) length = Integer.parseInt(field.substring(15).trim());
    }
    byte[] out = new byte[length];
    in.readFully(out);
    return out;
  }

  private static String line(InputStream in) throws Exception {
    StringBuilder out = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) throw new IllegalStateException("the connection has ended");
      if (c != '\r') out.append((char) c);
    }
    return out.toString();
  }

  public static void main(String[] args) throws Exception {
    Fetch fetch = new Fetch(args[0], args[1], args[2], args[3]);
    byte[] upload = Files.readAllBytes(Path.of(args[5]));
    String told, digest, version;
    long made;
    try (SSLSocket socket = fetch.connect()) {
      told = new String(fetch.ask(socket, "POST", "/sha", upload), StandardCharsets.US_ASCII).split(" ")[0];
      byte[] down = fetch.ask(socket, "GET", args[4], new byte[0]);
      digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(down));
      version = socket.getSession().getProtocol().substring("TLSv".length());
      made = socket.getSession().getCreationTime();
    }
    Thread.sleep(5);
    boolean resumed;
    try (SSLSocket socket = fetch.connect()) {
      fetch.ask(socket, "GET", args[4], new byte[0]);
      resumed = socket.getSession().getCreationTime() <= made;
    }
    System.out.println(told + " " + digest + " " + version + " " + resumed);
  }
}
