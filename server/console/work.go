package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
)

// work is the reading of a file that is being imported, which other requests
// look at and can stop.
type work struct {
	file    io.Reader
	read    atomic.Int64 // bytes of the file, as it was sent
	stopped atomic.Bool
}

// errStopped is how a file ends whose import was stopped.
var errStopped = errors.New("the import was stopped")

// Read reads on, until the import is stopped.
func (w *work) Read(p []byte) (int, error) {
	if w.stopped.Load() {
		return 0, errStopped
	}
	n, err := w.file.Read(p)
	w.read.Add(int64(n))
	return n, err
}

// showWork says how far an import under way is, as JSON for the page's script.
// It does not wait for it.
func (c *Console) showWork(v *visit) error {
	u, err := v.upload()
	if err != nil {
		return err
	}
	said := struct {
		Running bool  `json:"running"`
		Read    int64 `json:"read"`
		Size    int64 `json:"size"`
	}{Size: u.Size}
	if w := u.work.Load(); w != nil {
		said.Running, said.Read = true, w.read.Load()
	}
	v.w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(v.w).Encode(said) // the client is gone if this fails
	return nil
}

// stopWork lets the file of an import under way end where it is: what was stored
// by then stays, and the request that imports it is answered with that.
func (c *Console) stopWork(v *visit) error {
	if _, err := v.form(); err != nil {
		return err
	}
	u, err := v.upload()
	if err != nil {
		return err
	}
	w := u.work.Load()
	if w == nil {
		return &failure{Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "the file is not being imported"}
	}
	w.stopped.Store(true)
	v.w.WriteHeader(http.StatusNoContent)
	return nil
}
