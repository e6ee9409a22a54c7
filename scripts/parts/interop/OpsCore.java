// Ops-Core's contract (see README.md) on the JDK's own com.sun.net.httpserver.
// Run: java -Dsun.net.httpserver.idleInterval=1 -Dsun.net.httpserver.nodelay=true scripts/parts/interop/OpsCore.java PORT      (Java 17 or later)
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.regex.Pattern;

public class OpsCore {
    static final String KEY = "Bearer test-api-key";
    static final Pattern AGENT = Pattern.compile("/v1/opscore/agent/([^/]+)/(state|workflow)");
    static final Pattern AGENT_ID = Pattern.compile("\"agentId\"\\s*:\\s*\"([^\"]+)\"");
    static final ConcurrentHashMap<String, Integer> polls = new ConcurrentHashMap<>();

    static void answer(HttpExchange exchange, int status, String text) throws IOException {
        send(exchange, status, text.getBytes());
    }

    static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        boolean isHead = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(status, isHead ? -1 : body.length);
        if (!isHead) exchange.getResponseBody().write(body);
        exchange.close();
    }

    static void chunked(HttpExchange exchange) throws IOException {
        exchange.sendResponseHeaders(200, 0); // The length is unknown: sent in chunks.
        for (int n = 0; n < 100; n++) {
            exchange.getResponseBody().write("x".repeat(1000).getBytes());
            exchange.getResponseBody().flush();
        }
        exchange.close();
    }

    static void close(HttpExchange exchange) throws IOException {
        exchange.getResponseHeaders().set("Connection", "close");
        answer(exchange, 200, "closing");
    }

    static void upload(HttpExchange exchange) throws IOException {
        int size = exchange.getRequestBody().readAllBytes().length;
        answer(exchange, size == 1_000_000 ? 200 : 400, "{\"bytes\":" + size + "}");
    }

    static void notify(HttpExchange exchange) throws IOException {
        String body = new String(exchange.getRequestBody().readAllBytes());
        var found = AGENT_ID.matcher(body);
        if (exchange.getRequestHeaders().containsKey("Authorization")) {
            answer(exchange, 400, "{\"detail\":\"a registration carries no key\"}");
        } else if (!found.find()) {
            answer(exchange, 422, "{\"detail\":\"no agentId\"}");
        } else {
            polls.putIfAbsent(found.group(1), 0);
            answer(exchange, 200, "{\"status\":\"success\",\"message\":\"registered\"}");
        }
    }

    static void ofAgent(HttpExchange exchange) throws IOException {
        exchange.getRequestBody().readAllBytes();
        var found = AGENT.matcher(exchange.getRequestURI().getPath());
        if (!found.matches()) {
            answer(exchange, 404, "{\"detail\":\"Not Found\"}");
        } else if (!KEY.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
            answer(exchange, 401, "{\"detail\":\"Invalid authentication credentials\"}");
        } else if (!polls.containsKey(found.group(1))) {
            answer(exchange, 404, "{\"detail\":\"No state found\"}");
        } else if (found.group(2).equals("workflow")) {
            answer(exchange, 202, "{\"sessionId\":\"" + UUID.randomUUID()
                + "\",\"workflowId\":\"sample_workflow_id\",\"message\":\"Workflow triggered\"}");
        } else {
            switch (polls.merge(found.group(1), 1, Integer::sum)) {
                case 1 -> answer(exchange, 404, "{\"detail\":\"No state found\"}");
                case 2 -> answer(exchange, 200, "null");
                default -> answer(exchange, 200, "{\"agentId\":\"" + found.group(1) + "\",\"state\":\"UNKNOWN\",\"details\":{}}");
            }
        }
    }

    public static void main(String[] arguments) throws IOException {
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
        server.createContext("/", OpsCore::ofAgent);
        server.createContext("/health", exchange -> answer(exchange, 200, "{\"status\":\"ok\"}"));
        server.createContext("/chunked", OpsCore::chunked);
        server.createContext("/large", exchange -> send(exchange, 200, "x".repeat(1_000_000).getBytes()));
        server.createContext("/close", OpsCore::close);
        server.createContext("/upload", OpsCore::upload);
        server.createContext("/early", exchange -> answer(exchange, 413, "{\"detail\":\"too large\"}"));
        server.createContext("/v1/opscore/internal/agent/notify", OpsCore::notify);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.start();
    }
}
