package server

import (
	_ "embed"
	"net/http"
	"strconv"
)

//go:embed openapi.yaml
var openAPI []byte

// describeAPI sends the description of the API, OpenAPI 3.1.
func (s *Server) describeAPI(w http.ResponseWriter, r *request) error {
	w.Header().Set("Content-Type", "application/yaml") // RFC 9512
	w.Header().Set("Content-Length", strconv.Itoa(len(openAPI)))
	w.Write(openAPI) // the client is gone if this fails, and the log has the status
	return nil
}
