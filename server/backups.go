package server

import (
	"fmt"
	"net/http"

	"licensekit/exporter/audit"
)

// backupCounts are what may be told of a backup, in numbers.
var backupCounts = []string{"transaction", "activities", "exports", "log_entries", "blobs", "blob_bytes", "copied", "damaged"}

// recordBackup is told of a backup that is whole, by whoever made it: the server
// can't see it. Where to is not asked: events are sent on to webhooks and read
// by who need not know of hosts and disks.
func (s *Server) recordBackup(w http.ResponseWriter, r *request) error {
	var instance *string
	var noKeys *bool
	counts := make([]*int64, len(backupCounts))
	fields := map[string]any{"instance": &instance, "no_keys": &noKeys}
	for i, name := range backupCounts {
		fields[name] = &counts[i]
	}
	if err := decodeJSON(w, r, fields); err != nil {
		return err
	}
	if instance != nil && *instance != s.dir.Instance {
		return invalid(fmt.Sprintf("it is a backup of instance %q, this one is %s", *instance, s.dir.Instance))
	}
	said := audit.Metadata{}
	if noKeys != nil {
		said["no_keys"] = *noKeys
	}
	for i, name := range backupCounts {
		switch n := counts[i]; {
		case n == nil:
		case *n < 0:
			return invalid(fmt.Sprintf("%s must not be negative, and is %d", name, *n))
		default:
			said[name] = *n
		}
	}
	err := s.trail.Write(r.Context(), audit.Event{
		Type: audit.DirectoryBackedUp, ResourceType: "directory", ResourceID: s.dir.Instance, Metadata: said,
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
