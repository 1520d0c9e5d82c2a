# Every target is one or two lines; what is longer is a script or a Go program.

LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME = 30s

# -race checks pointers too, and ends the program where bbolt makes a slice of a
# damaged page of its mapped file. Without that check it panics, or faults, and
# the catalog makes an error of it: that is what the tests of damage look at.
NOCHECKPTR = -gcflags=go.etcd.io/bbolt/...=-d=checkptr=0

.PHONY: build deps test race lint fmt fuzz bench demo speed golden ci

build:  ; go build -o bin/datfs .
deps:   ; @bash .ci/deps fuse3 rsync xxhash fis-gtm
test: deps
	go test -timeout 30m ./...
# Of the large tables of failures a sample: make test has all of them. Of the tests
# from outside those that go most ways; the program has the detector in them, and
# not the instances in their own process, which would take all the time.
RACED = 'TestGTM|TestJournal_RollForward|TestKill$$|TestRoundTrip|TestSideBySide'

race: deps
	@bash .ci/deps gcc libc6-dev
	go test -race -short $(NOCHECKPTR) -timeout 50m $$(go list ./... | grep -v /integration)
	DATFS_BUILD_FLAGS=-race go test -short -count=1 -timeout 30m -run $(RACED) ./integration
lint:   ; $(LINT) run ./... && go mod tidy -diff
fmt:    ; $(LINT) fmt ./...
bench:  ; go test -timeout 60m -run '^$$' -bench . -benchmem ./bench
demo:   ; @bash bench/demo.sh
speed:  ; @bash bench/speed.sh
golden: ; go test ./catalog/... ./dbback/iris/restore -run Golden -update
ci:     ; bash .ci/run

# One after the other: go test fuzzes one target of one package at a time.
fuzz:
	@for f in $$(grep -rE '^func Fuzz[A-Z]' --include=*_test.go . | sed -E 's,/[^/]*:func (\w+).*,:\1,'); do \
		echo "fuzz $${f#*:} in $${f%:*}"; \
		go test "$${f%:*}" -run '^$$' -fuzz "^$${f#*:}\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x || exit 1; done
