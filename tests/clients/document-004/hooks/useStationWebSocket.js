import { useEffect, useState } from 'react';

export const useStationWebSocket = (stationId) => {
    const [inventory, setInventory] = useState(null);
    const [isConnected, setIsConnected] = useState(false);

    useEffect(() => {
        const url = stationId 
            ? `ws://localhost:8000/ws/stations/${stationId}/`
            : 'ws://localhost:8000/ws/stations/';
        
        const ws = new WebSocket(url);

        ws.onopen = () => {
            console.log('WebSocket connected');
            setIsConnected(true);
        };

        ws.onmessage = (event) => {
            const data = JSON.parse(event.data);
            
            if (data.type === 'inventory_update' || 
                data.type === 'battery_booked' || 
                data.type === 'battery_collected') {
                setInventory({
                    available: data.available_batteries,
                    booked: data.booked_batteries,
                    total: data.total_batteries
                });
            }
        };

        ws.onclose = () => {
            console.log('WebSocket disconnected');
            setIsConnected(false);
        };

        ws.onerror = (error) => {
            console.error('WebSocket error:', error);
        };

        // Cleanup on unmount
        return () => {
            ws.close();
        };
    }, [stationId]);

    return { inventory, isConnected };
};
