package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"licensekit/blobstore"
	"licensekit/exporter"
	"licensekit/exporter/audit"
	"licensekit/exporter/render"
	"licensekit/exporter/report"
)

// state is what /metrics shows of the data directory: it is read anew each
// time, so that it is the same after a restart.
type state struct {
	*Server
	survey *survey
}

// describe makes a metric of [state].
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("licensekit_"+name, help, labels, nil)
}

var (
	buildInfo = describe("build_info", "1, by the program's version and the instance of the data directory.", "version", "instance")

	exportsGauge    = describe("exports", "Exports that there are, by kind, format and status.", "kind", "format", "status")
	unfinishedGauge = describe("exports_unfinished", "Exports that wait or are being made.")
	waitingGauge    = describe("exports_waiting", "Exports that wait in the queue.")
	queueGauge      = describe("export_queue_limit", "Exports that may wait; one more is refused.")
	oldestGauge     = describe("export_oldest_unfinished_seconds", "How long ago the oldest export was created that has not come to its end, 0 if there is none.")

	activitiesGauge = describe("ledger_activities", "Activities in the ledger.")
	entriesGauge    = describe("log_entries", "Entries of the log of exports, by log.", "log")
	eventsCounter   = describe("events_total", "Events of the audit trail, by type.", "type")
	backupGauge     = describe("last_backup_timestamp_seconds", "When the last backup was made that the server knows of, 0 if there is none.")
	checkGauge      = describe("last_check_timestamp_seconds", "When the whole directory was last checked, 0 if it never was.")
	problemsGauge   = describe("last_check_problems", "Problems that this check found.")

	scrubGauge   = describe("last_scrub_timestamp_seconds", "When a scrub had last gone over all that is kept, 0 if none ever did.")
	damageGauge  = describe("damage", "What scrubs and checks found damaged and is not good again.")
	scrubbedBlob = describe("scrub_blobs_total", "Blobs that the scrub has hashed.")
	scrubbedByte = describe("scrub_bytes_total", "Bytes that the scrub has read.")

	databaseGauge = describe("database_bytes", "Room in meta.db: live, free to be used again, held for copies that are being taken.", "use")
	filesGauge    = describe("files", "Files of the data directory, by part.", "part")
	bytesGauge    = describe("files_bytes", "Bytes of these files.", "part")
	roomGauge     = describe("disk_free_bytes", "Room on the disk of the data directory, on the fullest if it is on several.")
	minFreeGauge  = describe("disk_min_free_bytes", "Room below which the server is not ready.")

	connectionsGauge = describe("connections", "Connections that clients hold.")
	refusedCounter   = describe("connections_refused_total", "Connections that were one too many.")
	readyGauge       = describe("ready", "1 if what /readyz asks of it is as it should be, by what that is.", "check")
)

// Describe says nothing beforehand: which exports and parts there are is known
// only then.
func (st *state) Describe(chan<- *prometheus.Desc) {}

// Collect reads the state.
func (st *state) Collect(out chan<- prometheus.Metric) {
	sheet := &sheet{out}
	sheet.gauge(buildInfo, 1, st.opts.Version, st.dir.Instance)
	st.collectExports(sheet)
	st.collectData(sheet)
	st.collectRoom(sheet)
	open, refused := st.connections.count()
	sheet.gauge(connectionsGauge, float64(open))
	sheet.counter(refusedCounter, float64(refused))
	reasons := st.unready()
	for _, check := range readyChecks {
		sheet.gauge(readyGauge, truth(reasons[check] == nil), string(check))
	}
}

func truth(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

func (st *state) collectExports(sheet *sheet) {
	counts, err := st.exports.Counts()
	if err != nil {
		sheet.missing(exportsGauge, err)
	}
	for _, class := range classes {
		if err == nil { // those of which there is none, too: the first one is an increase
			sheet.gauge(exportsGauge, float64(counts[class]), string(class.Kind), class.Format, string(class.Status))
		}
	}
	waiting, limit := st.exports.Waiting()
	sheet.gauge(unfinishedGauge, float64(st.exports.Unfinished()))
	sheet.gauge(waitingGauge, float64(waiting))
	sheet.gauge(queueGauge, float64(limit))
	age := 0.0
	if oldest := st.exports.Oldest(); !oldest.IsZero() {
		age = max(0, st.opts.Now().Sub(oldest).Seconds())
	}
	sheet.gauge(oldestGauge, age)
}

// classes are all that exports are counted by.
var classes = func() (all []exporter.Class) {
	for _, kind := range report.KindNames() {
		for _, format := range render.Names() {
			for _, status := range exporter.Statuses {
				all = append(all, exporter.Class{Kind: report.Kind(kind), Format: format, Status: status})
			}
		}
	}
	return all
}()

func (st *state) collectData(sheet *sheet) {
	if sequence, err := st.sequence(context.Background()); err != nil {
		sheet.missing(activitiesGauge, err)
	} else {
		sheet.gauge(activitiesGauge, float64(sequence))
	}
	for _, l := range st.exports.Logs() {
		sheet.gauge(entriesGauge, float64(l.Size()), l.Origin())
	}
	scrubbed := st.exports.Scrubbed()
	sheet.gauge(scrubGauge, seconds(scrubbed.Ended))
	sheet.gauge(damageGauge, float64(scrubbed.Damaged))
	sheet.counter(scrubbedBlob, float64(scrubbed.Blobs))
	sheet.counter(scrubbedByte, float64(scrubbed.Bytes))
	events, err := st.trail.Summaries()
	if err != nil {
		sheet.missing(eventsCounter, err)
		return
	}
	for name, of := range events {
		sheet.counter(eventsCounter, float64(of.Count), string(name))
	}
	sheet.gauge(backupGauge, seconds(events[audit.DirectoryBackedUp].Newest.CreatedAt))
	check := events[audit.DirectoryChecked].Newest
	sheet.gauge(checkGauge, seconds(check.CreatedAt))
	found, _ := check.Metadata["problems"].(float64)
	sheet.gauge(problemsGauge, found)
}

// seconds are those since 1970, 0 for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func (st *state) collectRoom(sheet *sheet) {
	if usage, err := st.dir.DB.Usage(); err != nil {
		sheet.missing(databaseGauge, err)
	} else {
		for use, bytes := range map[string]int64{"live": usage.Live, "free": usage.Free, "held": usage.Held} {
			sheet.gauge(databaseGauge, float64(bytes), use)
		}
	}
	if room, err := st.dir.Room(); err != nil {
		sheet.missing(roomGauge, err)
	} else {
		sheet.gauge(roomGauge, float64(room))
	}
	sheet.gauge(minFreeGauge, float64(st.opts.MinFree))
	usage, known := st.survey.latest()
	if !known {
		return
	}
	for part, share := range map[string]blobstore.Share{
		"blobs": usage.Blobs, "quarantine": usage.Quarantined, "trash": usage.Trashed, "log": usage.Log, "snapshots": usage.Snapshots,
	} {
		sheet.gauge(filesGauge, float64(share.Files), part)
		sheet.gauge(bytesGauge, float64(share.Bytes), part)
	}
}

// sheet takes the values of one collection.
type sheet struct{ out chan<- prometheus.Metric }

func (s *sheet) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s *sheet) counter(d *prometheus.Desc, value float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

// missing says why a value is not there.
func (s *sheet) missing(d *prometheus.Desc, err error) {
	s.out <- prometheus.NewInvalidMetric(d, err)
}

// scrapeLog tells the log what could not be collected.
type scrapeLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (l scrapeLog) Println(v ...any) { l.log.Warn("metrics are incomplete", "error", fmt.Sprint(v...)) }
