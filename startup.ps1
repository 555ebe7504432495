# Starts Fluxgate on Windows: the first start makes .venv and installs the packages, later ones only start.
#
#   .\startup.ps1                        on 127.0.0.1:8000, with demo data
#   .\startup.ps1 -Port 9000 -NoDemo     without demo data
#
# Settings come from the environment or from .env beside this file (see .env.example). The locks of requirements/ are
# for Linux, so the packages are installed by their ranges in pyproject.toml.
param(
    [string] $Address = "127.0.0.1",
    [int] $Port = 8000,
    [switch] $NoDemo
)
$ErrorActionPreference = "Stop"
Set-Location -Path $PSScriptRoot

$python = Join-Path $PSScriptRoot ".venv\Scripts\python.exe"
if (-not (Test-Path $python)) {
    Write-Host "Making .venv (once, a few minutes) ..."
    py -3.11 -m venv .venv
    if ($LASTEXITCODE -ne 0) { throw "Python 3.11 is needed: https://www.python.org/downloads/windows/" }
}
$installed = Join-Path $PSScriptRoot ".venv\fluxgate.done"
if (-not (Test-Path $installed)) {
    & $python -m pip install --disable-pip-version-check --editable .\client --editable .
    if ($LASTEXITCODE -ne 0) { throw "The packages could not be installed. The lines above say why." }
    New-Item -ItemType File -Path $installed | Out-Null
}

$arguments = @("-m", "service", "serve", "--host", $Address, "--port", "$Port")
if (-not $NoDemo -and -not $env:INFLUXDB_URL) { $arguments += "--demo" }
& $python @arguments
exit $LASTEXITCODE
