module licensekit

go 1.26.0

require (
	filippo.io/torchwood v0.9.0 // tests: proofs and policies, as others read them
	github.com/cespare/xxhash/v2 v2.3.0 // fingerprints of facts in the ledger
	github.com/chromedp/cdproto v0.160.0 // tests: the browser's protocol
	github.com/chromedp/chromedp v0.23.0 // tests: a browser for the console
	github.com/coreos/go-systemd/v22 v22.7.0 // sockets from systemd, and word to it
	github.com/gen2brain/go-fitz v1.24.15 // MuPDF: text and pictures of PDF pages (cgo)
	github.com/getkin/kin-openapi v0.153.0 // tests: responses against openapi.yaml
	github.com/go-fonts/dejavu v0.3.2 // fonts of PDF pages
	github.com/go-text/typesetting v0.3.5 // shaping of text on PDF pages
	github.com/gofrs/flock v0.13.2 // the data directory's lock
	github.com/gowebpki/jcs v1.0.2 // RFC 8785 of small texts
	github.com/julienschmidt/httprouter v1.3.0 // the route table
	github.com/pdfcpu/pdfcpu v0.15.0 // reads what is attached to a PDF
	github.com/prometheus/client_golang v1.25.0 // metrics
	github.com/prometheus/client_model v0.6.3 // tests: metrics, read back
	github.com/prometheus/common v0.74.0 // tests: metrics, read back
	github.com/rivo/uniseg v0.4.7 // how wide text is in a terminal
	github.com/rogpeppe/go-internal v1.16.0 // tests: stories of the command line
	github.com/schollz/progressbar/v3 v3.19.1 // progress on terminals
	github.com/swaggest/swgui v1.8.5 // the API page: Swagger UI
	github.com/transparency-dev/formats v0.1.1 // witnesses' signatures; tests: checkpoints, as Tessera reads them
	github.com/transparency-dev/merkle v0.0.2 // tests: proofs, as Tessera verifies them
	github.com/urfave/cli/v2 v2.27.7 // the command line
	github.com/xrash/smetrics v0.0.0-20250705151800-55b8f293f342 // suggests what a mistyped word may have meant
	github.com/xuri/excelize/v2 v2.11.1 // XLSX
	go.etcd.io/bbolt v1.5.0 // the database
	go.yaml.in/yaml/v3 v3.0.6 // tests: the alert rules
	golang.org/x/mod v0.43.0 // signed notes and Merkle trees
	golang.org/x/sync v0.25.0 // groups of goroutines
	golang.org/x/sys v0.50.0 // system calls that Go's own package lacks
	golang.org/x/term v0.48.0 // whether something is a terminal
	golang.org/x/text v0.44.0 // directions, forms and languages of text
	golang.org/x/time v0.16.0 // rate limits
)

require (
	filippo.io/mldsa v0.0.0-20260215214346-43d0283efc3e // indirect
	github.com/BurntSushi/toml v1.5.0 // indirect
	github.com/beorn7/perks v1.0.1 // indirect
	github.com/cpuguy83/go-md2man/v2 v2.0.7 // indirect
	github.com/ebitengine/purego v0.8.4 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/go-openapi/jsonpointer v0.22.5 // indirect
	github.com/go-openapi/swag/jsonname v0.25.5 // indirect
	github.com/hhrutter/tiff v1.0.6 // indirect
	github.com/jupiterrider/ffi v0.5.0 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/munnerz/goautoneg v0.0.0-20191010083416-a7dc8b61c822 // indirect
	github.com/pandatix/go-abnf v0.5.5 // indirect
	github.com/prometheus/procfs v0.22.0 // indirect
	github.com/richardlehane/mscfb v1.0.9 // indirect
	github.com/richardlehane/msoleps v1.0.6 // indirect
	github.com/russross/blackfriday/v2 v2.1.0 // indirect
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // indirect
	github.com/tiendc/go-deepcopy v1.7.2 // indirect
	github.com/xuri/efp v0.0.3-0.20260924042702-217b81952dec // indirect
	github.com/xuri/nfp v0.0.2-0.20250530014748-2ddeb826f9a9 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/exp/typeparams v0.0.0-20231108232855-2478ac86f678 // indirect
	golang.org/x/image v0.44.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
	honnef.co/go/tools v0.8.2 // indirect
)

tool honnef.co/go/tools/cmd/staticcheck
