// Ops-Core's contract (see README.md) on Go's net/http.
// Run: go run scripts/parts/interop/opscore.go PORT
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"sync"
	"time"
)

const key = "Bearer test-api-key"

var (
	agentPath = regexp.MustCompile(`^/v1/opscore/agent/([^/]+)/(state|workflow)$`)
	lock      sync.Mutex
	polls     = map[string]int{}
)

type object map[string]any

func answer(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(content)
}

func notify(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Details struct {
			ID string `json:"agentId"`
		} `json:"agent_details"`
	}
	if r.Header.Get("Authorization") != "" {
		answer(w, 400, object{"detail": "a registration carries no key"})
		return
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Details.ID == "" {
		answer(w, 422, object{"detail": "no such body"})
		return
	}
	lock.Lock()
	defer lock.Unlock()
	if _, known := polls[body.Details.ID]; !known {
		polls[body.Details.ID] = 0
	}
	answer(w, 200, object{"status": "success", "message": "registered"})
}

func ofAgent(w http.ResponseWriter, r *http.Request) {
	found := agentPath.FindStringSubmatch(r.URL.Path)
	if found == nil {
		answer(w, 404, object{"detail": "Not Found"})
		return
	}
	if r.Header.Get("Authorization") != key {
		answer(w, 401, object{"detail": "Invalid authentication credentials"})
		return
	}
	lock.Lock()
	defer lock.Unlock()
	seen, known := polls[found[1]]
	if !known {
		answer(w, 404, object{"detail": "No state found"})
		return
	}
	if found[2] == "workflow" {
		var body struct {
			ID string `json:"workflowDefinitionId"`
		}
		json.NewDecoder(r.Body).Decode(&body)
		id := fmt.Sprintf("session-%d", time.Now().UnixNano())
		answer(w, 202, object{"sessionId": id, "workflowId": body.ID, "message": "Workflow triggered"})
		return
	}
	seen++
	polls[found[1]] = seen
	switch seen {
	case 1:
		answer(w, 404, object{"detail": "No state found"})
	case 2:
		answer(w, 200, nil)
	default:
		answer(w, 200, object{"agentId": found[1], "state": "UNKNOWN", "details": object{}})
	}
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { answer(w, 200, object{"status": "ok"}) })
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, r *http.Request) {
		for n := 0; n < 100; n++ {
			w.Write(bytes.Repeat([]byte("x"), 1000))
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		w.Write(bytes.Repeat([]byte("x"), 1_000_000))
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		io.WriteString(w, "closing")
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		status := 200
		if size != 1_000_000 {
			status = 400
		}
		answer(w, status, object{"bytes": size})
	})
	mux.HandleFunc("/early", func(w http.ResponseWriter, r *http.Request) { answer(w, 413, object{"detail": "too large"}) })
	mux.HandleFunc("/v1/opscore/internal/agent/notify", notify)
	mux.HandleFunc("/", ofAgent)
	server := http.Server{Addr: "127.0.0.1:" + os.Args[1], Handler: mux, IdleTimeout: time.Second}
	log.Fatal(server.ListenAndServe())
}
